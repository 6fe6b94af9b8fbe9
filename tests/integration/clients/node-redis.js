'use strict';

const { createSentinel } = require('redis');
const { options, serve } = require('./driver');

const sentinel = createSentinel({
  name: options.name,
  sentinelRootNodes: options.sentinels.map((port) => ({ host: '127.0.0.1', port })),
  sentinelClientOptions: { username: options.user, password: options.password },
  nodeClientOptions: {
    username: options.data_user,
    password: options.data_password,
  },
  replicaPoolSize: 1, // reads go to replicas
  RESP: options.resp,
});
sentinel.on('error', () => {}); // it tries again by itself
const connected = sentinel.connect();

const ports = (nodes) => nodes.map((node) => Number(node.port));

serve({
  master: async () => {
    await connected;
    return ports([sentinel.getMasterNode()])[0];
  },
  replicas: async () => {
    await connected;
    const nodes = [...sentinel.getReplicaNodes()];
    return ports(nodes.filter(([, ready]) => ready > 0).map(([node]) => node));
  },
  set: async (key, value) => {
    await connected;
    return sentinel.set(key, value);
  },
  get: async (key) => {
    await connected;
    return sentinel.get(key);
  },
});
