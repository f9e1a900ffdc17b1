// The page of the forward proxies against the real program: requests through the proxy, and what the page says of
// them. DIST is served by the program itself (admin { www_dir }).
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createListener } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { accessible, check, equal, noFaults, noSidewaysScroll, ok, openPage, shot, until } from './harness.mjs';

const run = promisify(execFile);

function freePort() {
  return new Promise((found) => {
    const server = createListener().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

async function setUp(program, dist) {
  const folder = mkdtempSync(join(tmpdir(), 'larder-access-'));
  const origin = createServer((_, response) => response.end('x'.repeat(4000)));
  await new Promise((done) => origin.listen(0, '127.0.0.1', done));
  const port = origin.address().port;
  const proxy = await freePort();
  const admin = await freePort();
  const file = join(folder, 'larder.conf');
  writeFileSync(
    file,
    `listen 127.0.0.1:${proxy} { forward office; }
state_dir ${folder}/state;
admin { listen 127.0.0.1:${admin}; socket ${folder}/admin.sock; www_dir ${dist}; }
store { path off; }
log { access off; error ${folder}/error.log info; }
forward office {
    acl {
        deny ads host ads.test reason="Blocked by policy";
        allow tests host 127.0.0.1 to loopback port ${port};
    }
}
`,
  );
  const child = spawn(program, ['run', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const bury = () => child.kill('SIGKILL');
  process.once('exit', bury);
  const stop = async () => {
    const ended = new Promise((done) => child.once('close', done));
    child.kill('SIGTERM');
    await ended;
    process.off('exit', bury);
    origin.close();
    origin.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  };
  await until(
    'the admin server answers',
    () =>
      fetch(`http://127.0.0.1:${admin}/readyz`).then(
        (r) => r.ok,
        () => child.exitCode !== null && Promise.reject(new Error(said)),
      ),
  );
  const login = async () => JSON.parse((await run(program, ['dashboard', '-c', file, '--json'])).stdout).url;
  return { port, proxy, admin, file, login, stop };
}

function ask(proxy, target, method = 'GET') {
  return new Promise((done, failed) => {
    const asked = request({ host: '127.0.0.1', port: proxy, path: target, method, agent: false });
    asked.on('response', (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode));
    });
    asked.on('connect', (response, socket) => done({ status: response.statusCode, socket }));
    asked.on('error', failed);
    asked.end();
  });
}

const panel = (page, name) => page.locator('.access-page section').filter({ has: page.getByRole('heading', { name, exact: true }) });

async function visit(page, real) {
  await page.goto(await real.login());
  await page.getByRole('navigation').getByRole('link', { name: 'Access' }).click();
  await check('real: denials of the forward proxy, live, by rule', async () => {
    await page.getByText('Nothing was denied so far').waitFor();
    equal(await ask(real.proxy, 'http://ads.test/banner?x=1'), 403, 'status of the denied one');
    for (let i = 0; i < 3; i++) {
      equal(await ask(real.proxy, `http://127.0.0.1:${real.port}/`), 200, 'status of the allowed one');
    }
    const row = panel(page, 'Denials').locator('tbody tr').first();
    await row.waitFor();
    const text = await row.innerText();
    for (const word of ['127.0.0.1', 'GET http://ads.test', '/banner?x=1', 'ads', 'Blocked by policy']) {
      ok(text.includes(word), `${word} is not in ${text}`);
    }
  });
  await check('real: rules with text, line and counts', async () => {
    const rules = panel(page, 'Rules').locator('tbody tr');
    await until('three allowed', async () => (await rules.nth(1).locator('[data-label=allowed]').innerText()).trim() === '3');
    const ads = await rules.first().innerText();
    ok(ads.includes('deny ads host ads.test reason="Blocked by policy"') && ads.includes(`${real.file}:8`), ads);
    equal((await rules.first().locator('[data-label=denied]').innerText()).trim(), '1', 'denied');
  });
  await check('real: an open tunnel', async () => {
    const { status, socket } = await ask(real.proxy, `127.0.0.1:${real.port}`, 'CONNECT');
    equal(status, 200, 'status of CONNECT');
    await panel(page, 'Open tunnels').getByText(`127.0.0.1:${real.port}`).waitFor();
    await until('the tile', async () => (await panel(page, 'Tunnels').locator('.value').innerText()).trim() === '1');
    socket.destroy();
    await panel(page, 'Open tunnels').getByText('No tunnel is open').waitFor();
  });
  await check('real: destinations and clients', async () => {
    const rows = panel(page, 'Who and where').locator('tbody tr');
    await until('both hosts', async () => (await rows.allInnerTexts()).some((t) => t.includes('ads.test')));
    await page.getByRole('radio', { name: 'Clients' }).check();
    await until('the client', async () => (await rows.first().innerText()).includes('127.0.0.1'));
  });
  await check('real: an address is tested', async () => {
    await page.getByLabel('Client its address').fill('10.0.0.1');
    await page.getByLabel('URL or HOST:PORT').fill('https://ads.test/');
    await page.keyboard.press('Enter');
    await page.getByText('Denied by “ads”').waitFor();
    await page.getByLabel('URL or HOST:PORT').fill('http://[::1]/');
    await page.keyboard.press('Enter');
    await page.locator('.test-answer .state').getByText(/^Denied by “(end|private|self)”/).waitFor();
  });
}

export async function realAccessRun(browser, program, dist) {
  const real = await setUp(program, dist);
  try {
    const { page, faults, close } = await openPage(browser, `http://127.0.0.1:${real.admin}`);
    await visit(page, real);
    await check('real: the page of the forward proxy is accessible', async () => {
      await shot(page, 'real-access', true);
      await accessible(page);
      await noSidewaysScroll(page);
      noFaults(faults);
    });
    await close();
  } finally {
    await real.stop();
  }
}
