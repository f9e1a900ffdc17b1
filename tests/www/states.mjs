// Every state of the page: no fault axe knows of, no sideways scrolling, no error in the console, in both
// themes, wide and narrow. A screenshot of each is kept to be looked at.
import {
  accessible,
  check,
  noFaults,
  noSidewaysScroll,
  nothingCutOff,
  openPage,
  shot,
  until,
} from './harness.mjs';

const HTTP = /Failed to load resource/;

const dialogOpen = async (page) => {
  await page.locator('.cell-action button').nth(1).click();
  await page.getByRole('button', { name: /^Soft-purge/ }).waitFor();
};
const form = async (page, urls, mode = 'soft') => {
  await page.getByLabel('URLs, one a line').fill(urls);
  await page.getByRole('radio', { name: mode === 'hard' ? 'Hard' : 'Soft' }).check();
  await page.getByRole('button', { name: 'Preview…' }).click();
};

export const STATES = [
  { name: 'overview', full: true },
  { name: 'problems', scenario: 'problems', full: true, act: (p) => p.locator('.strip').waitFor() },
  {
    name: 'empty',
    scenario: 'empty',
    full: true,
    act: (p) => p.getByText('Nothing has come through yet').waitFor(),
  },
  { name: 'gap', scenario: 'gap' },
  {
    name: 'day',
    act: async (p) => {
      await p.getByRole('radio', { name: '24 h' }).check();
      await p.locator('.chart canvas').first().waitFor();
    },
  },
  {
    name: 'range-error',
    allow: HTTP,
    act: async (p, m) => {
      m.badStats = true;
      await p.getByRole('radio', { name: '7 d' }).check();
      await p.getByText('This range could not be read').waitFor();
    },
  },
  {
    name: 'table',
    act: async (p) => {
      await p.getByRole('button', { name: 'Table' }).first().click();
      await p.locator('.chart-table').waitFor();
    },
  },
  { name: 'formula', act: (p) => p.getByRole('button', { name: 'Formula: Hit ratio' }).focus() },
  { name: 'menu', act: (p) => p.locator('.account summary').click() },
  {
    name: 'stale',
    act: async (p, m) => {
      m.frozen = true;
      m.silent = true;
      await p.locator('.live-stale').waitFor();
    },
  },
  {
    name: 'lost',
    act: async (p, m) => {
      m.frozen = true;
      m.silent = true;
      await p.getByText('No answer from Larder for').waitFor();
    },
  },
  {
    name: 'no-history',
    act: async (p, m) => {
      m.noHistory = true;
      await p.getByRole('radio', { name: '7 d' }).check();
      await p.getByText('No data yet').first().waitFor();
    },
  },
  {
    name: 'offline',
    allow: HTTP,
    bare: true,
    before: (m) => Object.assign(m, { noStream: true, silent: true }),
    act: (p) => p.getByRole('heading', { name: 'No answer from the admin server' }).waitFor(),
  },
  {
    name: 'session-ended',
    allow: HTTP,
    act: async (p, m) => {
      m.endSessions();
      await p.getByText('Your session has ended').waitFor();
    },
  },
  {
    name: 'read-only',
    token: 'read-token',
    full: true,
    act: (p) => p.getByText('lacks the scope').waitFor(),
  },
  { name: 'read-only-purge', token: 'read-token', page: 'purge' },
  { name: 'purge', page: 'purge', act: (p) => p.getByText('deploy 8812').waitFor() },
  {
    name: 'purge-empty',
    scenario: 'empty',
    page: 'purge',
    act: (p) => p.getByText('Nothing has been purged yet').waitFor(),
  },
  {
    name: 'purge-faults',
    page: 'purge',
    act: async (p) => {
      await form(p, 'http://shop.example/\n/p/42\nnonsense');
      await p.locator('#purge-faults').waitFor();
    },
  },
  { name: 'origins', page: 'origins', full: true, act: (p) => p.getByText('new disks').waitFor() },
  {
    name: 'origins-problems',
    page: 'origins',
    scenario: 'problems',
    full: true,
    act: async (p) => {
      await p.locator('.more summary').nth(2).click();
      await p.getByText('connect timeout', { exact: true }).waitFor();
    },
  },
  {
    name: 'origins-empty',
    page: 'origins',
    scenario: 'empty',
    act: (p) => p.getByText('names no origins').waitFor(),
  },
  { name: 'origins-read-only', page: 'origins', token: 'read-token', act: (p) => p.getByText('lacks the scope').waitFor() },
  {
    name: 'origins-dialog-last',
    page: 'origins',
    act: async (p) => {
      await p.getByRole('button', { name: 'Drain media/media-1' }).click();
      await p.getByText('No server of pool media will be left').waitFor();
    },
  },
  {
    name: 'origins-site-dialog',
    page: 'origins',
    act: async (p) => {
      await p.getByRole('button', { name: 'Maintenance… of www.shop.example' }).click();
      await p.getByText('Visitors get 503').waitFor();
    },
  },
  {
    name: 'origins-none-left',
    page: 'origins',
    full: true,
    before: (m) => m.changes.set('media/media-1', { state: 'drain', reason: 'deploy', by: 'token:ci' }),
    act: (p) => p.getByText('No server is left').waitFor(),
  },
  { name: 'access', page: 'access', full: true, act: (p) => p.getByText('metrics.tracker.example').first().waitFor() },
  {
    name: 'access-one',
    page: 'access',
    scenario: 'one-forward',
    full: true,
    act: async (p) => {
      await p.getByLabel('Client its address').fill('10.8.0.12');
      await p.getByLabel('URL or HOST:PORT').fill('http://rebind.example/');
      await p.getByRole('button', { name: 'Which rule decides?' }).click();
      await p.getByText('127.0.0.1').waitFor();
    },
  },
  {
    name: 'access-denied',
    page: 'access',
    act: async (p) => {
      await p.getByLabel('Client its address').fill('10.8.0.12');
      await p.getByLabel('URL or HOST:PORT').fill('https://metrics.tracker.example/');
      await p.keyboard.press('Enter');
      await p.getByText('Denied by “ads”').waitFor();
    },
  },
  {
    name: 'access-quiet',
    page: 'access',
    scenario: 'quiet',
    full: true,
    act: (p) => p.getByText('Nothing was denied so far').waitFor(),
  },
  {
    name: 'access-error',
    page: 'access',
    allow: HTTP,
    before: (m) => Object.assign(m, { badAccess: true }),
    full: true,
    act: (p) => p.getByText('The forward proxies could not be read: The workers do not answer.').waitFor(),
  },
  { name: 'dialog', act: dialogOpen },
  {
    name: 'dialog-hard',
    page: 'purge',
    act: async (p) => {
      await form(p, 'http://shop.example/p/42\nhttp://shop.example/p/43', 'hard');
      await p.getByRole('button', { name: 'Purge 6 objects' }).waitFor();
    },
  },
  {
    name: 'dialog-nothing',
    page: 'purge',
    act: async (p) => {
      await form(p, 'http://shop.example/absent');
      await p.getByText('Nothing stored matches').waitFor();
    },
  },
  {
    name: 'dialog-refused',
    allow: HTTP,
    page: 'purge',
    act: async (p) => {
      await form(p, 'http://refused.example/');
      await p.getByText('no site has this host').waitFor();
    },
  },
  {
    name: 'dialog-done',
    act: async (p) => {
      await dialogOpen(p);
      await p.getByRole('button', { name: /^Soft-purge/ }).click();
      await p.getByText('marked stale in').waitFor();
    },
  },
  { name: 'login', login: false },
  {
    name: 'login-refused',
    login: false,
    allow: HTTP,
    act: async (p) => {
      await p.getByLabel('Token').fill('wrong');
      await p.getByRole('button', { name: 'Sign in' }).click();
      await p.getByText('not known here').waitFor();
    },
  },
];

const LOOKS = [
  { suffix: 'light-1360', scheme: 'light', width: 1360, height: 900 },
  { suffix: 'dark-1360', scheme: 'dark', width: 1360, height: 900 },
  { suffix: 'dark-390', scheme: 'dark', width: 390, height: 844 },
  { suffix: 'light-390', scheme: 'light', width: 390, height: 844 },
];

export async function enter(page, mock, state = {}) {
  if (state.login === false) {
    await page.goto(mock.base);
    await page.getByLabel('Token').waitFor();
    return;
  }
  if (state.token === undefined) {
    mock.codes.add('state-code');
    await page.goto(`${mock.base}/#login=state-code`);
  } else {
    await page.goto(mock.base);
    await page.getByLabel('Token').fill(state.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }
  await page.locator('.bar').waitFor();
  if (state.bare) {
    return;
  }
  await page.locator('.tile .value').first().waitFor();
  await page.locator('.cell-url, .blank').first().waitFor();
  if (state.page === 'origins') {
    await page.getByRole('navigation').getByRole('link', { name: /^Origins/ }).click();
    await page.locator('.origins-page').waitFor();
  } else if (state.page === 'access') {
    await page.getByRole('navigation').getByRole('link', { name: 'Access' }).click();
    await page.locator('.access-page').waitFor();
  } else if (state.page !== undefined) {
    await page.getByRole('link', { name: 'Purge', exact: true }).click();
    await page.getByLabel('URLs, one a line').waitFor();
  }
}

async function look(page, state, { suffix, scheme, width, height }) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height });
  await page.waitForTimeout(150); // charts follow their size in the next frame
  await shot(page, `${state.name}-${suffix}`, state.full === true);
  if (state.name === 'overview' && suffix === 'light-1360') {
    await shot(page, 'dashboard', true);
  }
  await accessible(page);
  await noSidewaysScroll(page);
  await nothingCutOff(page);
}

export async function statesRun(browser, mock, only) {
  for (const state of STATES.filter((s) => only === undefined || only.test(s.name))) {
    mock.reset(state.scenario ?? 'normal');
    state.before?.(mock);
    const { page, faults, close } = await openPage(browser, mock.base);
    await check(`state ${state.name}`, async () => {
      await enter(page, mock, state);
      await state.act?.(page, mock);
    });
    for (const l of LOOKS) {
      await check(`state ${state.name} ${l.suffix}`, () => look(page, state, l));
    }
    await check(`state ${state.name} at 360 px`, async () => {
      await page.setViewportSize({ width: 360, height: 780 });
      await until(
        'fits',
        () =>
          noSidewaysScroll(page).then(
            () => true,
            () => false,
          ),
        1000,
      ).catch(() => noSidewaysScroll(page));
    });
    await check(`state ${state.name} without faults`, () => noFaults(faults, state.allow));
    await close();
  }
}
