// Viewers with the official client, each over the transports it is told to use.
// node official_client.mjs URL SKU VIEWERS TRANSPORTS(comma) UNTIL -> one line "watching", then on stdin's end, once all
// have heard of UNTIL units (if it is given, and for 20 s at the most), a line of JSON:
// [{"transport": the one in use, "heard": [[version, available], …]}, …]
import { io } from "socket.io-client";

const [url, sku, viewers, transports, until] = process.argv.slice(2);

async function watch() {
  const socket = io(url, {
    transports: transports.split(","), forceNew: true, reconnection: false,
    withCredentials: true, // the cookie of a proxy with affinity
  });
  const heard = [];
  socket.on("stock", (state) => heard.push([state.version, state.available]));
  await new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  const snapshot = await socket.emitWithAck("watch", { skus: [sku] });
  heard.push([snapshot.stock[0].version, snapshot.stock[0].available]);
  return { socket, heard };
}

const all = await Promise.all(Array.from({ length: Number(viewers) }, watch));
console.log("watching");
const haveHeard = () => all.every(({ heard }) => heard.at(-1)[1] === Number(until));
process.stdin.on("end", async () => {
  for (let beat = 0; until && !haveHeard() && beat < 1_000; beat += 1) await new Promise((next) => setTimeout(next, 20));
  const told = all.map(({ socket, heard }) => ({ transport: socket.io.engine.transport.name, heard }));
  console.log(JSON.stringify(told));
  process.exit(0);
});
process.stdin.resume();
