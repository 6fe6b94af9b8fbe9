// Lets a test drive a client library: one request a line on standard input, with a
// number in front; one answer a line, as JSON, on standard output.
//
//   master          the port of the master the library has found
//   replicas        the ports of the replicas it would use
//   set KEY VALUE   written to the master
//   get KEY         read from a replica
'use strict';

const readline = require('readline');

console.log = console.error; // standard output is for answers

// |library| has an async function for each request.
exports.serve = (library) => {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const [id, name, ...words] = line.split(' ');
    const answer = { id: Number(id) };
    try {
      answer.value = await library[name](...words);
    } catch (error) {
      answer.error = String(error);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  });
  lines.on('close', () => process.exit(0));
};

// What the test says about its group: name, sentinels (ports), user and password of
// the sentinels, data_user and data_password of the servers.
exports.options = JSON.parse(process.argv[2]);
