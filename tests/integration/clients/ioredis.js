'use strict';

const Redis = require('ioredis');
const { options, serve } = require('./driver');

const connect = (more) => {
  const client = new Redis({
    name: options.name,
    sentinels: options.sentinels.map((port) => ({ host: '127.0.0.1', port })),
    sentinelUsername: options.user,
    sentinelPassword: options.password,
    username: options.data_user,
    password: options.data_password,
    ...more,
  });
  client.on('error', () => {}); // it tries again by itself
  return client;
};

// The detector subscribes to +switch-master. A message that comes while the library is
// just looking for the master makes it give up for good; then it is started anew.
let master;
const open = () => {
  master = connect({ failoverDetector: true });
  master.on('end', open);
};
open();

const portOf = async (client) => {
  const server = await client.info('server');
  return Number(/tcp_port:(\d+)/.exec(server)[1]);
};

// A connection to a replica; |found| is told which ones there were to choose from.
const onReplica = async (work) => {
  let found = [];
  const replica = connect({
    role: 'slave',
    preferredSlaves: (usable) => {
      found = usable.map((row) => Number(row.port));
      return usable[0];
    },
    retryStrategy: null,
    sentinelRetryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  try {
    return await work(replica, () => found);
  } finally {
    replica.disconnect();
  }
};

serve({
  master: () => portOf(master),
  replicas: () => onReplica(async (replica, found) => {
    await replica.ping();
    return found();
  }),
  set: (key, value) => master.set(key, value),
  get: (key) => onReplica((replica) => replica.get(key)),
});
