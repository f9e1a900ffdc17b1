// The same page against the real program in demo mode.
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  accessible,
  check,
  equal,
  noFaults,
  noSidewaysScroll,
  nothingCutOff,
  numberOf,
  ok,
  openPage,
  pixelsLike,
  shot,
  SHOTS,
  until,
} from './harness.mjs';

const START_MS = 60_000;
const FULL_CHART_MS = 300_000;

function demoStart(program) {
  const child = spawn(program, ['demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const link = new Promise((found, failed) => {
    const read = (chunk) => {
      output += chunk;
      const match = /(http:\/\/127\.0\.0\.1:\d+)\/#login=(\S+)/.exec(output);
      if (match !== null) {
        found({ base: match[1], link: match[0] });
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', failed);
    child.on('exit', (code) => failed(new Error(`the demo ended with ${code}:\n${output.slice(-2000)}`)));
    setTimeout(
      () => failed(new Error(`no login link after ${START_MS} ms:\n${output.slice(-2000)}`)),
      START_MS,
    ).unref();
  });
  const stop = () =>
    new Promise((done) => {
      if (child.exitCode !== null || child.signalCode !== null) {
        done();
        return;
      }
      child.on('exit', done);
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGKILL'), 15_000).unref();
    });
  return { link, stop };
}

async function pictures(page) {
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [
      [1360, 1000],
      [390, 844],
    ]) {
      await check(`real: overview ${scheme} ${width}`, async () => {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(300);
        await shot(
          page,
          scheme === 'light' && width === 1360 ? 'dashboard' : `real-${scheme}-${width}`,
          width === 390,
        );
        await accessible(page);
        await noSidewaysScroll(page);
        await nothingCutOff(page);
      });
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 1360, height: 1000 });
}

async function purgeOne(page) {
  await page.locator('.cell-action button').first().click();
  await page.getByRole('radio', { name: 'Hard' }).check();
  const confirm = page.getByRole('button', { name: /^Purge (\d+ objects?|anyway)$/ });
  await confirm.waitFor();
  await confirm.click();
  await page.getByText(/\d+ objects? removed, .* freed in/).waitFor();
  const said = await page.locator('dialog .big').innerText();
  await shot(page, 'real-purged');
  await accessible(page);
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('link', { name: 'Purge', exact: true }).click();
  const row = page.locator('tbody tr').first();
  await row.waitFor();
  ok((await row.innerText()).includes('hard'), await row.innerText());
  const count = /(\d+) objects?/.exec(said)?.[1];
  equal((await row.locator('[data-label=objects]').innerText()).trim(), count, 'count in the history');
  await shot(page, 'real-history');
  await accessible(page);
}

async function purgeForm(page) {
  await page.getByLabel('URLs, one a line').fill('http://127.0.0.1/absent/page');
  await page.getByRole('button', { name: 'Preview…' }).click();
  await page.getByText('Nothing stored matches').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
}

export async function realRun(browser, program) {
  const demo = demoStart(program);
  let context;
  try {
    await check('real: the demo starts and prints a login link', async () => {
      context = await demo.link;
    });
    if (context === undefined) {
      return;
    }
    const { page, faults, close } = await openPage(browser, context.base, {
      viewport: { width: 1360, height: 1000 },
    });
    await check('real: the login link works and is not shown again', async () => {
      const answer = await page.goto(context.link);
      ok(
        (answer.headers()['content-security-policy'] ?? '').includes("default-src 'none'"),
        'no strict policy',
      );
      await page.locator('.tile .value').first().waitFor();
      ok(!page.url().includes('login='), page.url());
    });
    await check('real: tiles fill from live traffic', async () => {
      await page.locator('.live-live').waitFor();
      for (const tile of ['ratio', 'requests', 'saved', 'origin', 'errors', 'store']) {
        await until(tile, async () => (await numberOf(page, tile)) !== '–');
      }
      ok(Number((await numberOf(page, 'requests')).replace('<', '')) > 0, 'no requests');
    });
    await check('real: the chart is drawn', () =>
      until('hits', async () => (await pixelsLike(page, '--hit')) > 50),
    );
    await check('real: top URLs', async () => {
      await page.locator('.cell-url').nth(1).waitFor();
      for (const by of ['Misses', 'Bytes', 'Requests']) {
        await page.locator('.panel-head').getByRole('radio', { name: by }).check();
        await page.locator('td[data-label=bytes]').first().waitFor();
      }
    });
    await check('real: every range answers', async () => {
      for (const range of ['1 h', '24 h', '7 d', '5 min']) {
        await page.getByRole('radio', { name: range }).check();
        await page.locator('.chart canvas, .chart .blank').first().waitFor();
      }
    });
    if (process.env.UPDATE_SCREENSHOT === '1') {
      await page.waitForTimeout(FULL_CHART_MS);
    }
    await pictures(page);
    if (process.env.UPDATE_SCREENSHOT === '1' && process.env.SCREENSHOT_COPY !== undefined) {
      copyFileSync(join(SHOTS, 'dashboard.png'), process.env.SCREENSHOT_COPY);
    }
    await check('real: a purge shows its count and is in the history', () => purgeOne(page));
    await check('real: a purge of nothing says so', () => purgeForm(page));
    await check('real: a used link is refused', async () => {
      const other = await openPage(browser, context.base);
      await other.page.goto(context.link);
      await other.page.getByText('has been used').waitFor();
      await other.close();
    });
    await check('real: sign out', async () => {
      await page.locator('.account summary').click();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Token').waitFor();
      const answer = await page.request.get(`${context.base}/api/v1/status`);
      equal(answer.status(), 401, 'status after signing out');
    });
    await check('real: no error in the console, no request to elsewhere', () => noFaults(faults));
    await close();
  } finally {
    await demo.stop();
  }
}
