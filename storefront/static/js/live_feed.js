import { newest } from './newest.js';
import { retryDelay } from './retry_delay.js';
import { slices } from './slices.js';

const SOCKET_IO = '/static/vendor/socket.io.esm.min.js';
const CONNECT_MS = 2_000; // a WebSocket that is not open by then is swallowed by something on the way
const ANSWER_MS = 5_000; // a rung that is not up by then is given up
const HIDDEN_MS = 10_000; // a tab that was hidden for so long needs no news until it is shown again
const GLANCE_EVERY_MS = 20_000; // such a tab looks up, if somebody waits in it,
const GLANCE_MS = 3_000; // for so long
const POLL_MS = 30_000; // the server answers a poll within 20 s
const POLL_GAP_MS = 150; // no hot loop, whatever the server answers
const STEADY_MS = 5_000; // a line that held this long starts its retries from the shortest wait again
const CLIMB_MS = 60_000; // on a lower rung, try the top again after this; each time in vain doubles it, up to 16 times
const GATHER_MS = 20; // badges that come and go together are one request
const RECHECK_MS = 2_000; // while stock is being checked, ask again after one to two times this

const SALE_EVENTS = ['sale', 'place', 'admitted'];

const named = (skus) => skus.map((sku) => `sku=${encodeURIComponent(sku)}`).join('&');

async function read(url, { signal, forget }) {
  const response = await fetch(url, { signal, headers: { Accept: 'application/json' }, cache: 'no-store' });
  if (response.status === 204) return null;
  const answer = await response.json();
  if (answer.code === 'unknown_sku') forget(answer.sku);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return answer;
}

const readStock = async (url, options) => (await read(url, options)) ?? { stock: [] };

const snapshot = (skus, options) => readStock(`/api/v1/stock?${named(skus)}`, options);

/** Rung 1: Socket.IO over WebSocket only. The answer to "watch" is the snapshot. */
function openSocket(line) {
  let socket;
  let closed = false;
  const ask = (skus) => socket.timeout(ANSWER_MS).emit('watch', { skus }, (error, answer) => {
    if (answer?.code === 'unknown_sku') line.forget(answer.sku);
    if (error || !answer?.stock) return line.down();
    line.take(answer);
    line.up();
  });
  const askForSale = (sale) => socket.timeout(ANSWER_MS).emit('watch_sale', { sale }, (error, answer) => {
    if (error || !answer?.sale) return line.down();
    line.hear('sale', answer.sale);
    if (answer.place) line.hear('place', answer.place);
    line.up();
  });
  const connect = ({ io }) => {
    if (closed) return;
    socket = io({ transports: ['websocket'], reconnection: false, forceNew: true, timeout: CONNECT_MS });
    socket.on('connect', () => {
      slices(line.skus()).forEach(ask);
      line.sales().forEach(askForSale);
    });
    SALE_EVENTS.forEach((event) => socket.on(event, (told) => line.hear(event, told)));
    socket.on('stock', (level) => line.take({ stock: [level] }));
    socket.on('connect_error', line.down);
    socket.on('disconnect', line.down);
  };
  import(SOCKET_IO).then(connect).catch(line.down);
  return {
    change(added, removed) {
      if (!socket?.connected) return;
      slices(added).forEach(ask);
      slices(removed).forEach((skus) => socket.emit('unwatch', { skus }));
    },
    close() {
      closed = true;
      socket?.close();
    },
  };
}

/** Rung 2: server-sent events. Each stream begins with the snapshot; up once data really came through. */
function openStream(line, skus) {
  const source = new EventSource(`/live/stock?${named(skus)}`);
  source.addEventListener('stock', (event) => {
    line.take({ stock: [JSON.parse(event.data)] });
    line.up();
  });
  source.addEventListener('error', line.down);
  return () => source.close();
}

function openSaleStream(line, sale) {
  const source = new EventSource(`/live/sales/${encodeURIComponent(sale)}`);
  SALE_EVENTS.forEach((name) => source.addEventListener(name, (event) => {
    line.hear(name, JSON.parse(event.data));
    line.up();
  }));
  source.addEventListener('error', line.down);
  return () => source.close();
}

/** Rung 3: stateless long-poll, after a snapshot. */
function openPoll(line, skus) {
  const stop = new AbortController();
  const options = { signal: stop.signal, forget: line.forget };
  const versions = () => skus.map((sku) => `sku=${encodeURIComponent(sku)}:${line.version(sku)}`).join('&');
  const poll = async () => {
    line.take(await snapshot(skus, options));
    line.up();
    while (!stop.signal.aborted) {
      const late = setTimeout(line.down, POLL_MS);
      line.take(await readStock(`/live/poll?${versions()}`, options).finally(() => clearTimeout(late)));
      await new Promise((done) => setTimeout(done, POLL_GAP_MS));
    }
  };
  poll().catch(() => stop.signal.aborted || line.down());
  return () => stop.abort();
}

function openSalePoll(line, sale) {
  const stop = new AbortController();
  const poll = async () => {
    let known = '';
    while (!stop.signal.aborted) {
      const late = setTimeout(line.down, POLL_MS);
      const url = `/live/poll?sale=${encodeURIComponent(sale)}&known=${encodeURIComponent(known)}`;
      const answer = await read(url, { signal: stop.signal }).finally(() => clearTimeout(late));
      if (answer) {
        line.hear('sale', answer.sale);
        if (answer.place) line.hear('place', answer.place);
        known = answer.known;
      }
      line.up();
      await new Promise((done) => setTimeout(done, POLL_GAP_MS));
    }
  };
  poll().catch(() => stop.signal.aborted || line.down());
  return () => stop.abort();
}

/** A rung where what is watched stands in the request: one per slice of SKUs and per sale, made anew when SKUs change. */
const inRequests = (open, openSale) => (line) => {
  let closes = [];
  const close = () => closes.forEach((end) => end());
  const start = () => {
    close();
    closes = slices(line.skus()).map((skus) => open(line, skus));
    closes.push(...line.sales().map((sale) => openSale(line, sale)));
  };
  start();
  return { change: start, close };
};

const RUNGS = [
  { name: 'websocket', open: openSocket },
  { name: 'sse', open: inRequests(openStream, openSaleStream) },
  { name: 'poll', open: inRequests(openPoll, openSalePoll) },
];

/**
 * Keeps one line to the shop on the best rung that works: a rung that never comes up hands on to the next at once,
 * a steady line that broke is tried again on the same rung after a jittered wait, any other from the top. From a lower
 * rung the top is tried again now and then; every rung starts from a snapshot, so that nothing is lost on the way.
 *
 * skus() and sales() tell what is watched now; take(answer) gets {epoch?, stock: [level, …]}; hear(event, told) gets the
 * events of sales; version(sku) is the newest one known; forget(sku) hears of a SKU the shop does not have (any more);
 * tell(name) hears "websocket", "sse", "poll" or "offline".
 */
function keepLine({ skus, sales, take, hear, version, forget, tell }) {
  let rung = 0;
  let attempt = 0;
  let climbs = 1;
  let current = null; // {handle, watched, name, upAt}
  let timer;

  const close = () => {
    clearTimeout(timer);
    const last = current;
    current = null; // first, so that a transport's own "closed" is no news
    last?.handle?.close();
  };

  const open = () => {
    close();
    if (!skus().length && !sales().length) return;
    const mine = { watched: skus(), name: RUNGS[rung].name, upAt: 0 };
    const live = (act) => (...told) => { if (current === mine) act(...told); };
    current = mine;
    timer = setTimeout(live(() => fall(mine)), ANSWER_MS);
    const events = { take: live(take), hear: live(hear), up: live(() => rise(mine)), down: live(() => fall(mine)) };
    mine.handle = RUNGS[rung].open({ skus, sales, version, forget, ...events });
  };

  const climb = () => {
    climbs = Math.min(16, climbs * 2);
    rung = 0;
    open();
  };

  const rise = (mine) => {
    if (mine.upAt) return;
    clearTimeout(timer);
    mine.upAt = performance.now();
    tell(mine.name);
    if (rung > 0) timer = setTimeout(climb, CLIMB_MS * climbs * (0.5 + Math.random() / 2));
    else climbs = 1;
  };

  const fall = (mine) => {
    close();
    if (!mine.upAt && rung + 1 < RUNGS.length) {
      rung += 1;
      return open();
    }
    tell('offline');
    const steady = mine.upAt && performance.now() - mine.upAt > STEADY_MS;
    if (steady) attempt = 0;
    else rung = 0;
    timer = setTimeout(open, retryDelay(attempt++));
  };

  return {
    get name() { return current?.upAt ? current.name : 'offline'; },
    close,
    open,
    fromTop() {
      rung = 0;
      attempt = 0;
      open();
    },
    change() {
      const wanted = skus();
      if (!wanted.length && !sales().length) return close();
      if (!current) return open();
      const added = wanted.filter((sku) => !current.watched.includes(sku));
      const removed = current.watched.filter((sku) => !wanted.includes(sku));
      current.watched = wanted;
      if (added.length || removed.length) current.handle?.change(added, removed);
    },
  };
}

/**
 * The live stock of the SKUs a page watches, over one line, newest levels only; and the news of the sales it watches.
 *
 * root: the element whose data-transport tells how it travels ("websocket", "sse", "poll", "offline").
 * Gives {watch(skus, listener) -> stop, offer(level), level(sku), refresh(skus), watchSale(slug, listener), pause(),
 * resume()}; a listener gets each level {sku, available, version, epoch, state} that is newer than the last, that of a
 * sale (event, told) for each event "sale", "place" and "admitted" (docs/realtime.md).
 */
export function liveFeed(root) {
  const known = new Map();
  const listeners = new Map();
  const saleListeners = new Map();
  let gathering;
  let rechecking;

  const offer = (level) => {
    const before = known.get(level.sku);
    const after = newest(before, level);
    if (after === before) return;
    known.set(level.sku, after);
    listeners.get(level.sku)?.forEach((listener) => listener(after));
  };

  const take = ({ epoch, stock }) => {
    stock.forEach((level) => offer({ epoch, ...level }));
    recheck();
  };

  const skus = () => [...listeners.keys()];
  const forget = (sku) => listeners.delete(sku);
  const ask = (slice) => snapshot(slice, { signal: AbortSignal.timeout(ANSWER_MS), forget }).then(take, () => undefined);
  const refresh = (wanted) => Promise.all(slices(wanted).map(ask));
  const unsure = () => skus().filter((sku) => known.get(sku)?.state === 'checking');

  const recheck = () => {
    if (rechecking || !unsure().length) return;
    rechecking = setTimeout(async () => {
      const wanted = unsure();
      if (wanted.length) await refresh(wanted);
      rechecking = undefined;
      recheck();
    }, RECHECK_MS * (1 + Math.random()));
  };

  const line = keepLine({
    skus,
    sales: () => [...saleListeners.keys()],
    take,
    hear: (event, told) => saleListeners.get(told.sale)?.(event, told),
    version: (sku) => known.get(sku)?.version ?? 0,
    forget,
    tell: (name) => { root.dataset.transport = name; },
  });

  const gather = () => {
    clearTimeout(gathering);
    gathering = setTimeout(line.change, GATHER_MS);
  };

  const watch = (wanted, listener) => {
    wanted.forEach((sku) => listeners.set(sku, (listeners.get(sku) ?? new Set()).add(listener)));
    gather();
    return () => {
      wanted.forEach((sku) => {
        listeners.get(sku)?.delete(listener);
        if (listeners.get(sku)?.size === 0) listeners.delete(sku);
      });
      gather();
    };
  };

  const watchSale = (slug, listener) => {
    saleListeners.set(slug, listener);
    gather();
  };

  // A hidden tab hears nothing and catches up when it is shown. At once where it keeps one of the six HTTP/1.1
  // connections that browsers allow to a shop over all tabs. Where somebody waits in it for his turn, it goes on
  // listening over a WebSocket, and over anything else it looks up now and then.
  let hiding;
  let glancing;
  const glance = () => {
    line.open();
    hiding = setTimeout(line.close, GLANCE_MS);
  };
  const hide = () => {
    const overWebSocket = line.name === 'websocket';
    if (overWebSocket && saleListeners.size) return;
    hiding = setTimeout(line.close, overWebSocket ? HIDDEN_MS : 0);
    if (saleListeners.size) glancing = setInterval(glance, GLANCE_EVERY_MS);
  };
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    clearInterval(glancing);
    if (document.hidden) hide();
    else if (line.name === 'offline') line.open();
  });
  addEventListener('online', line.fromTop);

  return { watch, offer, refresh, watchSale, level: (sku) => known.get(sku), pause: line.close, resume: line.open };
}
