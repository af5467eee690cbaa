// The same service on Node: viewers join the room of each SKU they watch, each change in Redis goes to its room.
// Usage: node server.mjs PORT REDIS_SOCKET CHANNEL

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const [port, path, channel] = process.argv.slice(2);
const connect = () => createClient({ socket: { path } }).connect();
const [publisher, subscriber, changes] = await Promise.all([connect(), connect(), connect()]);

const web = createServer();
const io = new Server(web, { adapter: createAdapter(publisher, subscriber), serveClient: false });

io.on('connection', (socket) => {
  socket.on('watch', ({ skus }, answer) => {
    socket.join(skus.map((sku) => `sku:${sku}`));
    answer({ stock: [] });
  });
});

await changes.subscribe(channel, (message) => {
  const change = JSON.parse(message);
  const state = change.available === 0 ? 'sold_out' : 'in_stock';
  io.to(`sku:${change.sku}`).emit('stock', { ...change, state });
});

web.listen({ port: Number(port), host: '127.0.0.1', backlog: 2048 });
