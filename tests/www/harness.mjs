// What the browser tests share: counting, Chromium, a page that watches itself, looking for faults.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const SHOTS = process.env.SCREENSHOTS ?? 'screenshots';
mkdirSync(SHOTS, { recursive: true });

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const PATIENCE_MS = 45_000; // whoever waits so long waits for ever

const tally = { passed: 0, failed: 0 };

// Counts; says whether it passed, for what makes no sense after a failure.
export async function check(name, body) {
  try {
    await body();
    tally.passed++;
    console.log(`ok   ${name}`);
    return true;
  } catch (error) {
    tally.failed++;
    console.log(
      `FAIL ${name}\n     ${String(error?.message ?? error)
        .split('\n')
        .slice(0, 12)
        .join('\n     ')}`,
    );
    return false;
  }
}

export function equal(actual, wanted, what) {
  if (actual !== wanted) {
    throw new Error(`${what}: ${JSON.stringify(actual)}, wanted ${JSON.stringify(wanted)}`);
  }
}

export function ok(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

export function finish() {
  console.log(`browser: ${tally.passed} passed, ${tally.failed} failed`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}

export async function launch() {
  const executablePath =
    process.env.CHROMIUM ??
    ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (executablePath === undefined) {
    throw new Error('no Chromium found (Debian: apt-get install chromium)');
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

// A page whose every console error, exception and request to elsewhere is noted.
export async function openPage(browser, base, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 900 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (m) => {
    // The last is about these tests themselves, which read the chart's pixels.
    if ((m.type() === 'error' || m.type() === 'warning') && !m.text().includes('willReadFrequently')) {
      faults.push(`console: ${m.text()} (${m.location().url})`);
    }
  });
  page.on('pageerror', (e) => faults.push(`exception: ${e.message}`));
  page.on('request', (r) => {
    if (!r.url().startsWith(`${base}/`) && !r.url().startsWith('data:')) {
      faults.push(`request to elsewhere: ${r.url()}`);
    }
  });
  page.setDefaultTimeout(PATIENCE_MS);
  return { page, faults, close: () => context.close() };
}

export function noFaults(faults, expected) {
  const bad = expected === undefined ? faults : faults.filter((f) => !expected.test(f));
  equal(bad.length, 0, `faults in the page: ${bad.join('; ')}`);
}

export async function noSidewaysScroll(page) {
  const [wide, has] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  ok(wide <= has, `scrolls sideways: ${wide} > ${has}`);
}

// Nothing sticks out of its box. What scrolls or is cut with an ellipsis on purpose is left out.
export async function nothingCutOff(page) {
  const out = await page.evaluate(() =>
    [...document.querySelectorAll('.tile *, .panel *, dialog *, .bar *')]
      .filter((e) => e.closest('.scroll, .hidden, .tip, .url, .host, pre, svg, canvas, .uplot, .menu') === null)
      .filter((e) => {
        const box = e.closest('.tile, .panel, dialog, .bar').getBoundingClientRect();
        const own = e.getBoundingClientRect();
        const isCut = e.matches('.aside, .value, dd, button, td') && e.scrollWidth > e.clientWidth;
        return own.width > 1 && (isCut || own.right > box.right + 1 || own.left < box.left - 1);
      })
      .map((e) => `${e.tagName} ${e.className} “${e.textContent.slice(0, 40)}”`),
  );
  equal(out.slice(0, 4).join(', '), '', 'sticks out or is cut off');
}

export async function accessible(page) {
  const found = await page.evaluate(
    async ({ source, tags }) => {
      if (window.axe === undefined) {
        // The page's policy forbids added scripts, as it should: the debugger's evaluation is not bound by it.
        (0, eval)(source);
      }
      const result = await window.axe.run(document, { runOnly: { type: 'tag', values: tags } });
      return result.violations.map(
        (v) =>
          `${v.id}: ${v.nodes
            .slice(0, 3)
            .map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`)
            .join(' | ')}`,
      );
    },
    { source: AXE, tags: AXE_TAGS },
  );
  equal(found.length, 0, `axe: ${found.join('\n')}`);
}

export async function shot(page, name, fullPage = false) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage });
}

// How many pixels of the first chart have nearly the colour of a custom property, e.g. --miss.
export function pixelsLike(page, property) {
  return page.evaluate((name) => {
    const canvas = document.querySelector('.chart canvas');
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    const want = probe.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 200 && [0, 1, 2].every((k) => Math.abs(data[i + k] - want[k]) < 50)) {
        n++;
      }
    }
    return n;
  }, property);
}

export const numberOf = (page, tile) => page.locator(`.tile-${tile} .value`).innerText();

export async function until(what, probe, ms = PATIENCE_MS) {
  const end = Date.now() + ms;
  for (;;) {
    if (await probe()) {
      return;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${ms} ms in vain: ${what}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}
