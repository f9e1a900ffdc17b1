// Browser tests: node browser.mjs DIST [PATTERN]. LARDER names the real program, if it is to be tested too. With
// PATTERN only the states whose names match; with `site` nothing but the real site.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { behaviourRun } from './behaviour.mjs';
import { check, finish, launch, ok } from './harness.mjs';
import { Mock } from './mock.mjs';
import { realAccessRun } from './real-access.mjs';
import { realRun } from './real.mjs';
import { siteRun } from './site.mjs';
import { statesRun } from './states.mjs';

const JS_MOST = 60_000; // bytes, compressed

const dist = resolve(process.argv[2] ?? 'dist');
const only = process.argv[3] === undefined ? undefined : new RegExp(process.argv[3]);

await check('scripts are at most 60 kB compressed', () => {
  const size = readdirSync(dist)
    .filter((n) => n.endsWith('.js.gz'))
    .reduce((a, n) => a + readFileSync(join(dist, n)).length, 0);
  console.log(`     ${size} bytes`);
  ok(size > 10_000 && size <= JS_MOST, `${size} bytes`);
});
await check('the page holds no inline script or style', () => {
  const page = readFileSync(join(dist, 'index.html'), 'utf8');
  ok(!/<style|style=|<script(?![^>]*src=)|\son\w+=/.test(page), page);
});

const browser = await launch();
const mock = new Mock(dist);
await mock.listen();
try {
  if (process.argv[3] !== 'site') {
    await behaviourRun(browser, mock, only);
    await statesRun(browser, mock, only);
  }
  if (process.env.LARDER) {
    if (process.argv[3] !== 'site') {
      await realAccessRun(browser, resolve(process.env.LARDER), dist);
      await realRun(browser, resolve(process.env.LARDER));
    }
    await siteRun(browser, resolve(process.env.LARDER));
  }
} finally {
  await mock.close();
  await browser.close();
}
finish();
