// A real site through Larder: Debian's nginx with the HTML documentation of a package behind it, browsed in
// Chromium. The log of nginx says what came to the origin; the files say what each response must hold. Each visit is
// a new context of the browser, which has nothing in its own cache.
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { check, equal, noFaults, numberOf, ok, openPage, shot, until } from './harness.mjs';

const PACKAGE = 'cmocka-doc';
const SITE = `/usr/share/doc/${PACKAGE}/html`;
const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync) ?? 'nginx';
const WALK = ['modules.html', 'group__cmocka__asserts.html', 'files.html', 'cmocka_8h_source.html']; // each links to the next
const NEVER_STORED = '/menudata.js'; // each page has it; the origin forbids storing it
const CHANGED = '/modules.html';
const OWN_FAULT = /smartmenus is not a function/; // Debian's jQuery lacks what the menu asks for, with and without us
const FLUSHED_MS = 2500; // what was stored longer ago than this survives kill -9
const DAY_S = 86_400;

const run = promisify(execFile);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

// A child that ends with this process, and its last words.
function start(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const here = { child, said: '' };
  child.on('error', (e) => (here.said += e.message));
  child.stderr.on('data', (chunk) => (here.said = (here.said + chunk).slice(-2000)));
  const bury = () => child.kill('SIGKILL');
  process.once('exit', bury);
  here.ended = new Promise((done) => child.once('close', done)).then(() => process.off('exit', bury));
  here.stop = async (signal) => {
    child.kill(signal);
    const late = setTimeout(bury, 15_000);
    await here.ended;
    clearTimeout(late);
  };
  return here;
}

async function answers(process, url) {
  await until(`${url} answers`, async () => {
    ok(process.child.exitCode === null, `ended: ${process.said}`);
    return fetch(url).then(
      (r) => r.ok,
      () => false,
    );
  });
}

// As Debian sets it up, apart from the folders, the port, compressing for proxies too, and one file that may not be
// stored. No Cache-Control: how long a file keeps is for Larder to tell from its age.
function nginxConf(folder, port) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx-error.log;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; ${temporary}
  gzip on; gzip_vary on; gzip_proxied any; gzip_types text/css application/javascript;
  include /etc/nginx/mime.types; default_type application/octet-stream;
  log_format short "$status $uri"; access_log ${folder}/nginx.log short;
  server {
    listen 127.0.0.1:${port}; root ${folder}/html;
    location = ${NEVER_STORED} { add_header Cache-Control no-store; }
    location = /favicon.ico { return 204; access_log off; }
    location /mark/ { return 204; }
  }
}
`;
}

const larderConf = (folder, ports) => `listen 127.0.0.1:${ports.proxy};
state_dir ${folder}/state;
admin { listen 127.0.0.1:${ports.admin}; socket ${folder}/admin.sock; }
store { path ${folder}/store; size 256M; memory 32M; }
log { error ${folder}/larder.log info; }
site * { origins { server docs http://127.0.0.1:${ports.origin}; } }
`;

class Setup {
  constructor(program) {
    this.program = program;
    this.folder = mkdtempSync(join(tmpdir(), 'larder-site-'));
    this.seen = 0;
    this.marks = 0;
  }

  async start() {
    const { folder } = this;
    ok(existsSync(join(SITE, 'index.html')), `no documentation in ${SITE}: apt-get install ${PACKAGE}`);
    const ports = { proxy: await freePort(), admin: await freePort(), origin: await freePort() };
    this.base = `http://127.0.0.1:${ports.proxy}`;
    this.admin = `http://127.0.0.1:${ports.admin}`;
    this.origin = `http://127.0.0.1:${ports.origin}`;
    this.socket = join(folder, 'admin.sock');
    cpSync(SITE, join(folder, 'html'), { recursive: true, dereference: true, preserveTimestamps: true });
    writeFileSync(join(folder, 'nginx.conf'), nginxConf(folder, ports.origin));
    writeFileSync(join(folder, 'larder.conf'), larderConf(folder, ports));
    this.nginx = start(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf')]);
    await answers(this.nginx, `${this.origin}/mark/0`);
    await this.startLarder();
  }

  async startLarder() {
    this.larder = start(this.program, ['run', '-c', join(this.folder, 'larder.conf')]);
    await answers(this.larder, `${this.admin}/readyz`);
  }

  // What came to the origin since the last call, as "STATUS PATH". The one worker of nginx writes the line of a
  // request before it turns to the next: once a request of ours is in the log, so is all that was answered before.
  async atOrigin() {
    const mark = ` /mark/${++this.marks}\n`;
    await fetch(this.origin + mark.trim());
    let text = '';
    await until('the log of nginx', async () => {
      text = readFileSync(join(this.folder, 'nginx.log'), 'utf8');
      return text.includes(mark);
    });
    const lines = text.slice(this.seen).split('\n');
    this.seen = text.length;
    return lines.filter((line) => line !== '' && !line.includes(' /mark/'));
  }

  file(path) {
    return join(this.folder, 'html', path === '/' ? 'index.html' : decodeURIComponent(path));
  }

  async command(...words) {
    const { stdout } = await run(this.program, [...words, '--socket', this.socket], { timeout: 15_000 });
    return stdout.trim();
  }

  async stop() {
    await this.larder?.stop('SIGTERM');
    await this.nginx?.stop('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const pathOf = (response) => new URL(response.url()).pathname;
const toBeStored = (lines) => lines.filter((line) => !line.endsWith(` ${NEVER_STORED}`));

// Are the pictures decoded, the style sheets read, and the menu there that scripts make?
const isWhole = (page) =>
  page.evaluate(() => {
    const pictures = [...document.images].map((i) => i.complete && i.naturalWidth > 0);
    const rules = [...document.styleSheets].map((s) => s.cssRules.length);
    return (
      pictures.length >= 3 &&
      !pictures.includes(false) &&
      rules.length >= 4 &&
      !rules.includes(0) &&
      document.querySelectorAll('#main-menu a').length > 4
    );
  });

// A new visitor, and what was answered to the page that is open.
async function arrive(browser, base) {
  const { page, faults, close } = await openPage(browser, base);
  const visitor = { page, faults, close, responses: [] };
  const open = new Set();
  page.on('request', (r) => open.add(r));
  page.on('requestfinished', (r) => open.delete(r));
  page.on('requestfailed', (r) => {
    open.delete(r);
    faults.push(`failed: ${r.url()}: ${r.failure()?.errorText}`);
  });
  page.on('response', (r) => visitor.responses.push(r));
  visitor.settled = () => until('the page is whole', async () => (await isWhole(page)) && open.size === 0);
  return visitor;
}

// A status and body as on disk for every part.
async function asOnDisk(setup, { responses }) {
  for (const response of responses) {
    const path = pathOf(response);
    equal(response.status(), 200, path);
    ok((await response.body()).equals(readFileSync(setup.file(path))), `${path} is not as on disk`);
  }
}

// The walk of a visitor: the front page, then by links. Returns what was answered: a list of [path, Cache-Status].
async function browse(browser, setup, picture) {
  const visitor = await arrive(browser, setup.base);
  const { page } = visitor;
  const said = [];
  const look = async () => {
    await visitor.settled();
    await asOnDisk(setup, visitor);
    said.push(...visitor.responses.map((r) => [pathOf(r), r.headers()['cache-status'] ?? 'none']));
    equal(visitor.responses[0].headers()['content-encoding'], 'gzip', 'encoding of the page');
    visitor.responses = [];
  };
  try {
    await page.goto(`${setup.base}/`);
    await look();
    if (picture !== undefined) {
      await shot(page, picture);
    }
    for (const next of WALK) {
      await page.locator(`a[href="${next}"]:visible`).first().click();
      await page.waitForURL(`${setup.base}/${next}`);
      await look();
    }
    noFaults(visitor.faults, OWN_FAULT);
  } finally {
    await visitor.close();
  }
  return said;
}

// The front page looks as it does without Larder between, dot by dot.
async function sameLook(browser, setup) {
  const look = async (base) => {
    const visitor = await arrive(browser, base);
    try {
      await visitor.page.goto(`${base}/`);
      await visitor.settled();
      return await visitor.page.screenshot({ animations: 'disabled' });
    } finally {
      await visitor.close();
    }
  };
  const straight = await look(setup.origin);
  await until('the look of the front page', async () => straight.equals(await look(setup.base)));
}

// Every cacheable part came from the cache, and the origin saw nothing but what may not be stored. Returns how many
// different parts there were.
async function fromCache(browser, setup, picture) {
  const said = await browse(browser, setup, picture);
  const pages = said.filter(([path]) => path === NEVER_STORED).length;
  const cacheable = said.filter(([path]) => path !== NEVER_STORED);
  const parts = new Set(cacheable.map(([path]) => path)).size;
  equal(pages, WALK.length + 1, `times ${NEVER_STORED} was asked for`);
  ok(parts > 20, `only ${parts} parts`);
  for (const [path, status] of cacheable) {
    ok(status.startsWith('larder; hit'), `${path}: ${status}`);
  }
  const seen = await setup.atOrigin();
  equal(seen.join(), Array(pages).fill(`200 ${NEVER_STORED}`).join(), 'requests at the origin');
  console.log(`     ${parts} parts are hits, ${pages} requests at the origin, all for ${NEVER_STORED}`);
  return parts;
}

// One visitor opens one page and leaves.
async function openOnce(browser, setup, path, picture) {
  const visitor = await arrive(browser, setup.base);
  try {
    const response = await visitor.page.goto(setup.base + path);
    await visitor.settled();
    if (picture !== undefined) {
      await shot(visitor.page, picture);
    }
    noFaults(visitor.faults, OWN_FAULT);
    return {
      heading: await visitor.page.locator('.headertitle').innerText(),
      status: response.headers()['cache-status'],
      isNew: (await response.body()).equals(readFileSync(setup.file(path))),
    };
  } finally {
    await visitor.close();
  }
}

// The dashboard is open while more visitors come; least is how many requests there were before.
async function dashboardShows(browser, page, setup, least) {
  const visitors = 3;
  await page.goto(await setup.command('dashboard'));
  await page.locator('.live-live').waitFor();
  for (let i = 0; i < visitors; i++) {
    await openOnce(browser, setup, CHANGED);
  }
  const total = page.locator('.tile-requests dl div', { hasText: '24 h' }).locator('dd');
  await until(
    'the requests are counted',
    async () => Number(await total.innerText()) >= least + visitors * 2,
  );
  await until('hits', async () => Number(await numberOf(page, 'ratio')) > 50);
  await until('the store is filled', async () => (await numberOf(page, 'store')) !== '–');
  const row = page.locator('tbody tr', { hasText: setup.base + CHANGED });
  await until('the page is among the top URLs', async () => {
    const [requests, ratio] = await row.locator('td.num').allInnerTexts();
    return Number(requests) > visitors && /^100\s%$/.test(ratio);
  });
  await shot(page, 'site-dashboard', true);
}

async function purgeOnDashboard(page, setup) {
  await page.getByRole('link', { name: 'Purge', exact: true }).click();
  await page.getByLabel('URLs, one a line').fill(setup.base + CHANGED);
  await page.getByRole('radio', { name: 'Hard' }).check();
  await page.getByRole('button', { name: 'Preview…' }).click();
  await page.getByRole('button', { name: 'Purge 1 object', exact: true }).click();
  await page.getByText(/1 object removed, .* freed in/).waitFor();
  await shot(page, 'site-purged');
  await page.getByRole('button', { name: 'Close' }).click();
}

// As a deployment that keeps the times of files: the new one is of yesterday.
function edit(setup, path, from, to) {
  const text = readFileSync(setup.file(path), 'utf8');
  ok(text.includes(from), `${path} holds no ${from}`);
  writeFileSync(setup.file(path), text.replace(from, to));
  const time = Date.now() / 1000 - DAY_S;
  utimesSync(setup.file(path), time, time);
}

const steps = [
  [
    'pages are whole and links work',
    async ({ browser, setup }) => {
      const said = await browse(browser, setup, 'site-first');
      const seen = await setup.atOrigin();
      const stored = toBeStored(seen);
      ok(stored.length > 20 && seen.length > stored.length, `the origin saw ${seen.join()}`);
      equal(new Set(stored).size, stored.length, 'different ones at the origin');
      for (const path of new Set(said.map(([asked]) => asked))) {
        ok(seen.includes(`200 ${path === '/' ? '/index.html' : path}`), `${path} did not come from the origin`);
      }
    },
  ],
  [
    'the front page looks as without larder',
    async ({ browser, setup }) => {
      await sameLook(browser, setup);
      await setup.atOrigin();
    },
  ],
  [
    'the second visit asks the origin for nothing',
    async ({ browser, setup }) => {
      await fromCache(browser, setup);
    },
  ],
  [
    'nor does a visit after kill -9',
    async (t) => {
      await sleep(FLUSHED_MS);
      await t.setup.larder.stop('SIGKILL');
      equal(t.setup.larder.child.signalCode, 'SIGKILL', 'end');
      await t.setup.startLarder();
      t.parts = await fromCache(t.browser, t.setup, 'site-restarted');
    },
  ],
  [
    'the dashboard shows the visits',
    ({ browser, setup, dashboard, parts }) => dashboardShows(browser, dashboard, setup, parts),
  ],
  [
    'until a purge the old page is served',
    async ({ browser, setup }) => {
      edit(setup, CHANGED, '<div class="title">Modules</div>', '<div class="title">Written anew</div>');
      const { heading, status, isNew } = await openOnce(browser, setup, CHANGED);
      equal(heading, 'Modules', 'heading');
      ok(status.startsWith('larder; hit') && !isNew, status);
    },
  ],
  [
    'one page purged on the dashboard is new at once',
    async ({ browser, setup, dashboard }) => {
      await setup.atOrigin();
      await purgeOnDashboard(dashboard, setup);
      const { heading, status, isNew } = await openOnce(browser, setup, CHANGED, 'site-changed');
      equal(heading, 'Written anew', 'heading');
      ok(status.includes('detail=purged_hard') && isNew, status);
      equal(toBeStored(await setup.atOrigin()).join(), `200 ${CHANGED}`, 'requests at the origin');
    },
  ],
  [
    'all others stayed in the cache',
    async ({ browser, setup }) => {
      await fromCache(browser, setup);
    },
  ],
  [
    'a page made stale is asked about once and kept when unchanged',
    async ({ browser, setup }) => {
      ok(/1 object/.test(await setup.command('purge', '--soft', '--url', `${setup.base}/files.html`)), 'count');
      await browse(browser, setup);
      await browse(browser, setup);
      equal(toBeStored(await setup.atOrigin()).join(), '304 /files.html', 'requests at the origin');
    },
  ],
  ['no error in the console of the dashboard', async ({ faults }) => noFaults(faults)],
  [
    'larder ends with 0',
    async ({ setup }) => {
      await setup.larder.stop('SIGTERM');
      equal(setup.larder.child.exitCode, 0, `status; it said ${setup.larder.said}`);
    },
  ],
];

// Each step stands on the one before it: the first that fails is the last.
export async function siteRun(browser, program) {
  const setup = new Setup(program);
  try {
    if (!(await check(`site: nginx with ${SITE} behind larder`, () => setup.start()))) {
      return;
    }
    const { page, faults, close } = await openPage(browser, setup.admin, {
      viewport: { width: 1360, height: 1000 },
    });
    const t = { browser, setup, dashboard: page, faults, parts: 0 };
    for (const [name, body] of steps) {
      if (!(await check(`site: ${name}`, () => body(t)))) {
        break;
      }
    }
    await close();
  } finally {
    await setup.stop();
  }
}
