// A stand-in for the admin server: the same paths and answers, with states that are hard to reach with the
// real one. As a program: node mock.mjs DIST [PORT] [SCENARIO], to look at the page while working on it.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { access, accessList, accessTest, denials, forwardsOf, quotas, tunnels } from './mock-access.mjs';
import { originOrder, origins, siteOrder, sites } from './mock-origins.mjs';

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MIME = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
const RANGES = { '5m': [300, 1], '1h': [360, 10], '24h': [288, 300], '7d': [2016, 300] };
const MIB = 1024 * 1024;

// The same numbers in every run: screenshots differ only when the page does.
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const smooth = (t, period, shift) => Math.sin((t / period) * 2 * Math.PI + shift);

function point(t, step, scenario) {
  const r = random(t * 2654435761);
  const empty = scenario === 'empty';
  const waves = step > 1 ? 0 : 420 * smooth(t, 190, 0) + 160 * smooth(t, 37, 1);
  const load = empty ? 0 : (2600 + waves + 180 * (r() - 0.5)) * step;
  const day = step >= 10 ? 0.62 + 0.38 * smooth(t, 86400, -1.9) : 1;
  const all = Math.max(0, load * day);
  const bad = scenario === 'problems' && smooth(t, 120, 0.4) > 0.75 ? 0.06 : 0;
  const share = {
    stale: 0.012,
    revalidated: 0.035,
    miss: 0.062 + 0.03 * smooth(t, 73, 2),
    pass: 0.04,
    error: 0.0004 * r() + bad,
  };
  const n = (s) => Math.round(all * s * (0.85 + 0.3 * r()));
  const made = {
    stale: n(share.stale),
    revalidated: n(share.revalidated),
    miss: n(share.miss),
    pass: n(share.pass),
    error: n(share.error),
    synthetic: 0,
    denied: 0,
  };
  made.hit = Math.max(
    0,
    Math.round(all) - made.stale - made.revalidated - made.miss - made.pass - made.error,
  );
  const known = (n) => (empty ? null : n);
  return {
    requests: Math.round(all),
    ...made,
    bytes_cache: Math.round((made.hit + made.stale + made.revalidated) * 44_000 * (0.95 + 0.1 * r())),
    bytes_origin: Math.round((made.miss + made.pass) * 52_000 * (0.9 + 0.2 * r())),
    bytes_self: made.error * 420,
    origin_first_byte_p50_ms: known(38 + 8 * r()),
    origin_first_byte_p95_ms: known(104 + 18 * smooth(t, 90, 0) + 26 * r()),
    hit_p50_ms: known(0.11),
    hit_p95_ms: known(0.3 + 0.1 * r()),
    connections: empty ? 0 : Math.round(300 + 40 * smooth(t, 80, 0)),
    evicted: empty ? 0 : n(0.0003),
  };
}

function stats(range, now, scenario) {
  const [points, step] = RANGES[range];
  const end = Math.floor(now / step) * step;
  const out = { range, step_s: step, t: [] };
  for (let i = points - 1; i >= 0; i--) {
    const t = end - i * step;
    const gap = scenario === 'gap' && i > 150 && i < 200;
    const young = scenario === 'new' || (scenario === 'young' && i > 40);
    out.t.push(t);
    for (const [key, value] of Object.entries(point(t, step, scenario))) {
      (out[key] ??= []).push(gap || young ? null : value);
    }
  }
  out.totals = totals(now, scenario);
  out.definitions = {
    hit_ratio: '(hit + stale + revalidated) / (hit + stale + revalidated + miss)',
    byte_hit_ratio: 'bytes from the cache / bytes to clients',
    cacheable_share: 'cacheable / all',
  };
  return out;
}

function summed(now, seconds, step, scenario) {
  const sum = {
    requests: 0,
    hit: 0,
    stale: 0,
    revalidated: 0,
    miss: 0,
    pass: 0,
    synthetic: 0,
    denied: 0,
    error: 0,
    bytes_cache: 0,
    bytes_origin: 0,
    bytes_self: 0,
  };
  for (let t = Math.floor(now / step) * step - seconds + step; t <= now; t += step) {
    const p = point(t, step, scenario);
    for (const key of Object.keys(sum)) {
      sum[key] += p[key];
    }
  }
  const cache = sum.hit + sum.stale + sum.revalidated;
  const ratio = (a, b) => (b > 0 ? a / b : null);
  const known = (n) => (scenario === 'empty' ? null : n);
  return {
    ...sum,
    covered_s: seconds,
    hit_ratio: ratio(cache, cache + sum.miss),
    byte_hit_ratio: ratio(sum.bytes_cache, sum.bytes_cache + sum.bytes_origin),
    cacheable_share: ratio(cache + sum.miss, sum.requests),
    errors_5xx: sum.error,
    errors_origin: Math.ceil(sum.error * 0.8),
    errors_self: sum.error - Math.ceil(sum.error * 0.8),
    origin_first_byte_p50_ms: known(41.2),
    origin_first_byte_p95_ms: known(118.4),
    cache_p95_ms: known(0.36),
    requests_per_s: sum.requests / seconds,
    saved_bytes_per_s: sum.bytes_cache / seconds,
    evictions: scenario === 'empty' ? 0 : 12,
  };
}

function totals(now, scenario) {
  return {
    last_minute: summed(now, 60, 1, scenario),
    day: summed(now, 86400, 300, scenario),
    peak_requests_per_s: scenario === 'empty' ? 0 : 5218.4,
  };
}

function status(now, scenario, uptime) {
  const ago = (s) => new Date((now - s) * 1000).toISOString();
  const empty = scenario === 'empty';
  const bad = scenario === 'problems';
  return {
    version: '0.1.0',
    host: 'cache-2',
    pid: 4711,
    uptime_s: 273_912 + uptime,
    state: 'serving',
    workers: 4,
    connections: empty ? 1 : 312,
    site_names: ['shop.example'],
    forwards: forwardsOf(scenario),
    store: {
      disk_bytes: empty ? 81_920 : Math.round(6.1 * 1024 * MIB),
      disk_capacity_bytes: 10 * 1024 * MIB,
      disk_objects: empty ? 0 : 184_212,
      memory_bytes: empty ? 0 : 402 * MIB,
      memory_capacity_bytes: 512 * MIB,
      memory_objects: empty ? 0 : 21_009,
      index_bytes: 12 * MIB,
      recovering: false,
      recovered_share: 1,
      disk: 'ok',
    },
    problems: bad
      ? [
          {
            level: 'warn',
            event: 'origin_down',
            text: 'app/app-3 is down: 3 checks failed: connect timed out after 2 s',
            last: ago(0),
            since: ago(741),
            count: 1,
            now: true,
          },
          {
            level: 'warn',
            event: 'origin.slow',
            text: 'Origin app-3 answers slowly: first byte p95 4.2 s over the last minute',
            last: ago(12),
            count: 48,
          },
          {
            level: 'error',
            event: 'config.reload',
            text: 'The last reload failed, the old configuration is still in force: larder.conf:41:9: unknown directive “memroy”, did you mean “memory”?',
            last: ago(70),
            count: 1,
          },
          {
            level: 'warn',
            event: 'store.full',
            text: 'The disk store is 96 % full; 1 240 objects evicted in 5 min',
            last: ago(100),
            count: 5,
          },
          {
            level: 'warn',
            event: 'origin_fault',
            text: 'site=shop.example origin=app/app-1 error=incomplete connect=10.0.0.11:8080 note=""',
            last: ago(5000),
            count: 3,
          },
        ]
      : empty
        ? []
        : [
            {
              level: 'warn',
              event: 'origin.reset',
              text: 'Origin app-1 closed a connection in the middle of an answer',
              last: ago(5000),
              count: 3,
            },
          ],
    config: {
      file: '/etc/larder/larder.conf',
      loaded_at: ago(90_000),
      last_reload_ok: !bad,
      last_reload_error: bad ? 'larder.conf:41:9: unknown directive' : '',
    },
  };
}

const PATHS = [
  '/',
  '/p/42',
  '/img/hero.webp',
  '/assets/app.8c1f0e.js',
  '/assets/app.91ab33.css',
  '/api/prices.json',
  '/p/1077',
  '/c/autumn?page=2',
  '/img/teaser/harbour-at-dawn-with-gulls-1600x900.avif',
  '/search?q=lamp&sort=price&order=ascending&page=3',
  '/fonts/text.woff2',
  '/p/9',
  '/sitemap.xml',
];

function top(by, limit, scenario) {
  const items =
    scenario === 'empty'
      ? []
      : PATHS.map((path, i) => {
          const requests = Math.round(42_000 / (i + 1) ** 1.1);
          const miss = path.includes('search') ? 0.93 : 0.01 + 0.04 * random(i * 7919 + 3)();
          const misses = Math.round(requests * miss);
          return {
            url: `http://shop.example${path}`,
            requests,
            hits: requests - misses,
            misses,
            bytes: Math.round(requests * (9_000 + 160_000 * random(i * 104_729 + 5)())),
          };
        });
  items.sort((a, b) => b[by] - a[by]);
  return { window_s: 600, by, error_bound: scenario === 'empty' ? 0 : 12, items: items.slice(0, limit) };
}

export class Mock {
  constructor(dist, scenario = 'normal') {
    this.dist = dist;
    this.begun = Date.now();
    this.reset(scenario);
    this.streams = new Set();
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        this.problem(response, 500, 'Broken mock', String(error));
      });
    });
  }

  reset(scenario) {
    this.scenario = scenario;
    this.codes = new Set(['good-code']);
    this.sessions = new Map();
    this.scopes = ['read', 'purge', 'admin'];
    this.purges = scenario === 'empty' ? [] : this.history();
    this.frozen = false; // no ticks
    this.noStream = false; // /events answers 503
    this.silent = false; // no reply of any kind to /stats
    this.badStats = false; // /stats answers 500
    this.noHistory = false; // /stats knows of no time
    this.matched = 3;
    this.requests = [];
    this.queries = []; // paths with queries
    this.bodies = []; // of purges
    this.changes = new Map(); // of origins
    this.badAccess = false; // what is below /access answers 500
    this.denied = []; // denials beside those of the scenario
  }

  history() {
    const at = (s) => new Date(Date.now() - s * 1000).toISOString();
    const row = (id, s, mode, matched, bytes, by, urls, reason, dry_run = false) => ({
      id,
      state: 'done',
      mode,
      dry_run,
      urls: urls.length,
      matched,
      bytes,
      variants: matched,
      in_flight: 0,
      effective_at: at(s),
      took_s: 0.0004 + matched * 0.0001,
      sample: urls,
      by,
      reason,
      results: urls.map((url) => ({ url, matched: 1 })),
      hints: [],
    });
    return [
      row('p_0006', 900, 'soft', 4, 212_000, 'token:cms', ['http://shop.example/p/42'], 'price change'),
      row('p_0005', 7_300, 'hard', 1, 8_900_000, 'token:admin', ['http://shop.example/img/hero.webp'], ''),
      row(
        'p_0004',
        90_000,
        'soft',
        12,
        1_400_000,
        'token:ci',
        ['http://shop.example/', 'http://shop.example/c/autumn', 'http://shop.example/sitemap.xml'],
        'deploy 8812',
      ),
      row('p_0003', 190_000, 'hard', 0, 0, 'unix:1000', ['http://shop.example/gone'], ''),
    ];
  }

  listen(port = 0) {
    return new Promise((done) => {
      this.server.listen(port, '127.0.0.1', () => {
        this.timer = setInterval(() => this.tick(), 1000);
        this.base = `http://127.0.0.1:${this.server.address().port}`;
        done(this.base);
      });
    });
  }

  close() {
    clearInterval(this.timer);
    this.dropStreams();
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }

  now() {
    return Math.floor(Date.now() / 1000);
  }

  endSessions() {
    this.sessions.clear();
    this.dropStreams();
  }

  dropStreams() {
    for (const stream of this.streams) {
      stream.end();
    }
    this.streams.clear();
  }

  event(stream, type, data) {
    this.id = (this.id ?? 0) + 1;
    stream.write(`id: ${this.id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  tick() {
    if (this.frozen) {
      return;
    }
    const t = this.now();
    for (const stream of this.streams) {
      this.event(stream, 'tick', {
        t,
        status: status(t, this.scenario, this.uptime()),
        point: { t, ...point(t, 1, this.scenario) },
        totals: totals(t, this.scenario),
      });
      this.event(stream, 'origins', origins(t, this.scenario, this.changes));
      if (t % 5 === 0) {
        this.event(stream, 'top', top('requests', 20, this.scenario));
      }
    }
  }

  uptime() {
    return Math.floor((Date.now() - this.begun) / 1000);
  }

  json(response, code, body, headers = {}) {
    response.writeHead(code, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  problem(response, code, title, detail = '', extra = {}, headers = {}) {
    this.json(
      response,
      code,
      { type: 'about:blank', title, status: code, detail, ...extra },
      { 'Content-Type': 'application/problem+json', ...headers },
    );
  }

  session(request) {
    const found = /larder_session=([^;]+)/.exec(request.headers.cookie ?? '');
    return found === null ? undefined : this.sessions.get(found[1]);
  }

  async answer(request, response) {
    const url = new URL(request.url, 'http://mock');
    this.requests.push(`${request.method} ${url.pathname}`);
    this.queries.push(`${url.pathname.replace('/api/v1', '')}${url.search}`);
    if (!url.pathname.startsWith('/api/v1/')) {
      this.file(url.pathname, response);
      return;
    }
    let body = '';
    for await (const chunk of request) {
      body += chunk;
    }
    const path = url.pathname.slice('/api/v1'.length);
    if (path === '/session' && request.method === 'POST') {
      this.login(body, response);
      return;
    }
    const session = this.session(request);
    if (session === undefined) {
      this.problem(response, 401, 'Not signed in', '', {}, { 'WWW-Authenticate': 'Bearer' });
      return;
    }
    if (request.method !== 'GET') {
      if (request.headers['content-type'] !== 'application/json') {
        this.problem(response, 415, 'JSON only');
        return;
      }
      if (request.headers['x-csrf'] !== session.csrf) {
        this.problem(response, 403, 'Cross-site request refused');
        return;
      }
    }
    this.inside(request, url, path, body, session, response);
  }

  login(body, response) {
    const given = JSON.parse(body);
    if (given.token === 'too-often') {
      this.problem(response, 429, 'Too many attempts', '', {}, { 'Retry-After': '42' });
      return;
    }
    if (given.token !== 'good-token' && given.token !== 'read-token' && !this.codes.delete(given.code)) {
      this.problem(response, 401, 'Unknown token or code');
      return;
    }
    const key = `s${this.sessions.size}${Date.now()}`;
    const session = {
      name: given.token === 'read-token' ? 'board' : 'admin',
      scopes: given.token === 'read-token' ? ['read'] : this.scopes,
      csrf: `csrf-${key}`,
    };
    this.sessions.set(key, session);
    this.json(response, 200, session, {
      'Set-Cookie': `larder_session=${key}; HttpOnly; SameSite=Strict; Path=/`,
    });
  }

  inside(request, url, path, body, session, response) {
    const now = this.now();
    const route = `${request.method} ${path}`;
    if (route === 'GET /session') {
      this.json(response, 200, session);
    } else if (route === 'DELETE /session') {
      this.sessions.clear();
      response.writeHead(204).end();
    } else if (route === 'GET /status') {
      this.json(response, 200, status(now, this.scenario, this.uptime()));
    } else if (route === 'GET /stats') {
      if (this.badStats) {
        this.problem(response, 500, 'History unreadable', 'The file of the long history is damaged.');
      } else if (!this.silent) {
        this.json(response, 200, stats(url.searchParams.get('range'), now, this.noHistory ? 'new' : this.scenario));
      }
    } else if (route === 'GET /top') {
      this.json(
        response,
        200,
        top(
          url.searchParams.get('by') ?? 'requests',
          Number(url.searchParams.get('limit') ?? 20),
          this.scenario,
        ),
      );
    } else if (route === 'GET /origins') {
      this.json(response, 200, origins(now, this.scenario, this.changes));
    } else if (route.startsWith('POST /origins/')) {
      this.order(path, JSON.parse(body), session, response);
    } else if (route === 'GET /sites') {
      this.json(response, 200, sites(now, this.scenario, this.changes));
    } else if (route.startsWith('POST /sites/')) {
      this.bodies.push(JSON.parse(body));
      siteOrder(path, JSON.parse(body), session, now, this.changes);
      this.json(response, 200, { ok: true });
    } else if (path.startsWith('/access')) {
      this.access(route, url.searchParams, body, now, response);
    } else if (route === 'GET /events') {
      this.events(response);
    } else if (route === 'GET /purges') {
      this.json(response, 200, { items: this.purges, next: null });
    } else if (route === 'POST /purges') {
      this.purge(JSON.parse(body), session, response);
    } else {
      this.problem(response, 404, 'No such thing');
    }
  }

  access(route, query, body, now, response) {
    const lists = /^GET \/access\/(destinations|users|clients)$/.exec(route);
    if (this.badAccess) {
      this.problem(response, 500, 'It cannot be read', 'The workers do not answer.');
    } else if (route === 'GET /access') {
      this.json(response, 200, access(this.scenario, (Date.now() - this.begun) / 1000));
    } else if (route === 'GET /access/denials') {
      this.json(response, 200, denials(query, this.scenario, now, this.denied));
    } else if (route === 'GET /access/tunnels') {
      this.json(response, 200, tunnels(query, this.scenario, now));
    } else if (route === 'GET /access/quotas') {
      this.json(response, 200, quotas(this.scenario));
    } else if (lists !== null) {
      this.json(response, 200, accessList(lists[1], query, this.scenario, now));
    } else if (route === 'POST /access/test') {
      this.bodies.push(JSON.parse(body));
      const answer = accessTest(JSON.parse(body));
      if (answer === null) {
        this.problem(response, 422, 'The question is not valid', 'client is not an address like 192.0.2.1 or 2001:db8::1');
      } else {
        this.json(response, 200, answer);
      }
    } else {
      this.problem(response, 404, 'No such thing');
    }
  }

  events(response) {
    if (this.noStream) {
      this.problem(response, 503, 'Too many streams', 'At most 32 streams are open at once.');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(': hello\n\n');
    if (!this.silent) {
      const now = this.now();
      this.event(response, 'snapshot', {
        status: status(now, this.scenario, this.uptime()),
        stats: stats('5m', now, this.scenario),
        top: top('requests', 20, this.scenario),
        origins: origins(now, this.scenario, this.changes),
      });
    }
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }

  order(path, order, session, response) {
    this.bodies.push(order);
    if (!session.scopes.includes('admin')) {
      this.problem(response, 403, 'Scope “admin” is missing');
    } else if (order.reason === 'refuse this') {
      this.problem(response, 404, 'There is nothing at this address', 'pool app has no server "app-3"');
    } else if (originOrder(path, order, session, this.now(), this.scenario, this.changes)) {
      this.json(response, 200, { ok: true });
    } else {
      this.problem(response, 404, 'There is nothing at this address');
    }
  }

  purge(order, session, response) {
    this.bodies.push(order);
    const unknown = Object.keys(order).filter((k) => !['select', 'mode', 'dry_run', 'reason'].includes(k));
    if (unknown.length > 0 || !['soft', 'hard'].includes(order.mode)) {
      this.problem(response, 422, 'The purge is not valid', '', {
        errors: [{ pointer: '/mode', message: 'soft or hard' }],
      });
      return;
    }
    if (!session.scopes.includes('purge')) {
      this.problem(response, 403, 'Scope “purge” is missing');
      return;
    }
    const urls = order.select.urls;
    if (urls.some((u) => u.includes('refused'))) {
      this.problem(response, 422, 'The purge is not valid', 'One of the URLs belongs to no site.', {
        errors: [{ pointer: '/select/urls/0', message: 'no site has this host' }],
      });
      return;
    }
    const none = urls.every((u) => u.includes('absent'));
    const matched = none ? 0 : this.matched * urls.length;
    const done = {
      id: `p_${String(100 + this.bodies.length)}`,
      state: 'done',
      mode: order.mode,
      dry_run: order.dry_run === true,
      urls: urls.length,
      matched,
      bytes: matched * 70_512,
      variants: matched,
      in_flight: none ? 0 : 1,
      effective_at: new Date().toISOString(),
      took_s: 0.0021,
      sample: none ? [] : urls,
      by: `token:${session.name}`,
      reason: order.reason ?? '',
      results: urls.map((url) => ({ url, matched: none ? 0 : this.matched })),
      hints: none ? ['http://shop.example/absent/ (with a slash at the end) is stored'] : [],
    };
    this.purges.unshift(done);
    for (const stream of this.streams) {
      this.event(stream, 'purge', done);
    }
    this.json(response, 200, done);
  }

  file(path, response) {
    const file = join(this.dist, normalize(path === '/' ? '/index.html' : path));
    if (!file.startsWith(this.dist) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': MIME[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': CSP,
      'Cache-Control': 'no-cache',
    });
    createReadStream(file).pipe(response);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const mock = new Mock(process.argv[2] ?? 'dist', process.argv[4] ?? 'normal');
  const base = await mock.listen(Number(process.argv[3] ?? 8091));
  console.log(`${base}/#login=good-code  (tokens: good-token, read-token)`);
}
