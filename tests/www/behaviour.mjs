// What the page does, against the stand-in server.
import { accessTests } from './behaviour-access.mjs';
import { originTests } from './behaviour-origins.mjs';
import { check, equal, noFaults, numberOf, ok, openPage, pixelsLike, until } from './harness.mjs';
import { enter } from './states.mjs';

const HTTP = /Failed to load resource/;
const tests = [];
const test = (name, body, options = {}) => tests.push({ name, body, ...options });

test('a login link is exchanged and leaves the address bar and the history', async ({ page, mock }) => {
  await enter(page, mock);
  ok(!page.url().includes('code'), page.url());
  ok(mock.requests.includes('POST /api/v1/session'), 'no exchange');
  equal(await page.evaluate(() => history.length), 1 + 1, 'entries of the history'); // about:blank and the page
});

test(
  'a used login link says so and offers the token',
  async ({ page, mock }) => {
    await page.goto(`${mock.base}/#login=used`);
    await page.getByText('has been used or is older than 5 minutes').waitFor();
    ok(!page.url().includes('used'), page.url());
    await page.getByLabel('Token').fill('good-token');
    await page.keyboard.press('Enter');
    await page.locator('.tile .value').first().waitFor();
  },
  { allow: HTTP },
);

test(
  'too many logins: the page says how long to wait',
  async ({ page, mock }) => {
    await page.goto(mock.base);
    await page.getByLabel('Token').fill('too-often');
    await page.keyboard.press('Enter');
    await page.getByText(/Try again in 42/).waitFor();
  },
  { allow: HTTP },
);

test('a newcomer causes no failed request', async ({ page, mock }) => {
  await page.goto(mock.base);
  await page.getByLabel('Token').waitFor();
  ok(!mock.requests.some((r) => r.includes('/api/')), mock.requests.join());
});

test('a reload keeps the session', async ({ page, mock }) => {
  await enter(page, mock);
  await page.reload();
  await page.locator('.tile .value').first().waitFor();
});

test('tiles show what the server sent, and go on', async ({ page, mock }) => {
  await enter(page, mock);
  ok(/^9\d\.\d$/.test(await numberOf(page, 'ratio')), await numberOf(page, 'ratio'));
  equal(await numberOf(page, 'store'), '61.0', 'store');
  equal(await numberOf(page, 'origin'), '118', 'origin');
  const before = await page.locator('.tile-saved .spark-line').getAttribute('d');
  await until(
    'the line moves',
    async () => (await page.locator('.tile-saved .spark-line').getAttribute('d')) !== before,
  );
  equal(await page.locator('.live').getAttribute('class'), 'live live-live', 'state');
});

test('the formula is shown on focus and hidden by Escape', async ({ page, mock }) => {
  await enter(page, mock);
  const tip = page.getByRole('tooltip').first();
  await page.getByRole('button', { name: 'Formula: Hit ratio' }).focus();
  await tip.waitFor();
  ok((await tip.innerText()).includes('(hit + stale + revalidated + miss)'), await tip.innerText());
  await page.keyboard.press('Escape');
  await tip.waitFor({ state: 'hidden' });
});

test('the chart has the colours of what happened, in both themes', async ({ page, mock }) => {
  await enter(page, mock);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await until(`${scheme}: misses are drawn`, async () => (await pixelsLike(page, '--miss')) > 500);
    await until(
      `${scheme}: the edge of hits is drawn`,
      async () => (await pixelsLike(page, '--hit')) > 200,
    );
  }
});

test('without traffic the chart is empty', async ({ page, mock }) => {
  mock.reset('empty');
  await enter(page, mock);
  await page.locator('.chart canvas').first().waitFor();
  equal(await pixelsLike(page, '--miss'), 0, 'pixels of misses');
});

test(
  'a range is asked for and drawn; a failing one offers Retry',
  async ({ page, mock }) => {
    await enter(page, mock);
    const label = page.locator('.range-bar .note');
    await page.getByRole('radio', { name: '1 h' }).check();
    await until('asked', () => mock.requests.includes('GET /api/v1/stats'));
    equal(await label.textContent(), 'last hour', 'label');
    await page.locator('.chart canvas').first().waitFor();
    mock.badStats = true;
    await page.getByRole('radio', { name: '7 d' }).check();
    await page.getByText('The file of the long history is damaged').waitFor();
    equal(await page.getByText('Could not be read.', { exact: true }).count(), 2, 'charts that say so');
    equal(await page.locator('.canvas.skeleton').count(), 0, 'charts that seem to load');
    mock.badStats = false;
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.locator('.chart canvas').first().waitFor();
    equal(await page.getByText('This range could not be read').count(), 0, 'error');
  },
  { allow: HTTP },
);

test('a range of which nothing is known says so', async ({ page, mock }) => {
  await enter(page, mock);
  mock.noHistory = true;
  await page.getByRole('radio', { name: '24 h' }).check();
  await page.getByText(/No data yet: a point is written down every 5\smin/).first().waitFor();
  equal(await page.locator('.chart canvas').count(), 0, 'charts');
});

test('the chart as table', async ({ page, mock }) => {
  await enter(page, mock);
  await page.getByRole('button', { name: 'Table' }).first().click();
  equal(await page.locator('.chart-table thead th').first().innerText(), 'Time', 'head');
  equal(await page.locator('.chart-table tbody tr').count(), 30, 'rows');
  ok(/k\/s/.test(await page.locator('.chart-table tbody td').first().innerText()), 'no rate');
});

test('a chart has its text', async ({ page, mock }) => {
  await enter(page, mock);
  const text = (await page.locator('.chart p.hidden').first().textContent()).replaceAll('\u202f', ' ');
  ok(/^Requests by result, last 5 minutes: [\d.]+k\/s on average; hit 8\d\.\d %/.test(text), text);
});

test('top URLs by misses are asked for and in order', async ({ page, mock }) => {
  await enter(page, mock);
  ok((await page.locator('.cell-url').first().innerText()).includes('shop.example/'), 'by requests');
  await page.getByRole('radio', { name: 'Misses' }).check();
  await until('the search comes first', async () =>
    (await page.locator('.cell-url').first().innerText()).includes('/search?'),
  );
});

test('purge from the table: counted first, Cancel in focus, soft, then the result', async ({
  page,
  mock,
}) => {
  await enter(page, mock);
  await page.getByRole('button', { name: 'Purge http://shop.example/p/42' }).click();
  const confirm = page.getByRole('button', { name: 'Soft-purge 3 objects' });
  await confirm.waitFor();
  equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel', 'focus');
  equal(
    JSON.stringify(mock.bodies),
    JSON.stringify([
      { select: { urls: ['http://shop.example/p/42'] }, mode: 'soft', dry_run: true, reason: '' },
    ]),
    'sent',
  );
  await confirm.click();
  await page.getByText(/3 objects .* marked stale in/).waitFor();
  equal(mock.bodies[1].dry_run, false, 'dry run');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Close', 'focus');
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await until('the focus goes back', async () => {
    const label = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    return label === 'Purge http://shop.example/p/42';
  });
});

test('Escape and Cancel purge nothing', async ({ page, mock }) => {
  await enter(page, mock);
  for (const leave of [
    () => page.keyboard.press('Escape'),
    () => page.getByRole('button', { name: 'Cancel' }).click(),
  ]) {
    await page.locator('.cell-action button').first().click();
    await page.getByRole('button', { name: /^Soft-purge/ }).waitFor();
    await leave();
    await page.locator('dialog').waitFor({ state: 'detached' });
  }
  ok(
    mock.bodies.every((b) => b.dry_run),
    'something was purged',
  );
});

test('hard in the dialog counts anew and says so on the button', async ({ page, mock }) => {
  await enter(page, mock);
  await page.locator('.cell-action button').first().click();
  await page.getByRole('button', { name: /^Soft-purge/ }).waitFor();
  mock.matched = 1;
  await page.getByRole('radio', { name: 'Hard' }).check();
  await page.getByRole('button', { name: 'Purge 1 object', exact: true }).click();
  await page.getByText(/1 object removed, .* freed in/).waitFor();
  equal(mock.bodies.at(-1).mode, 'hard', 'mode');
});

test('the form: several URLs, reason, result in the history', async ({ page, mock }) => {
  await enter(page, mock, { page: 'purge' });
  await page
    .getByLabel('URLs, one a line')
    .fill('http://shop.example/a\nhttp://shop.example/b\nhttp://shop.example/a');
  await page.getByLabel('Reason').fill('test 7');
  ok(await page.getByRole('radio', { name: 'Soft' }).isChecked(), 'soft is not preselected');
  await page.getByRole('button', { name: 'Preview…' }).click();
  await page.getByRole('button', { name: 'Soft-purge 6 objects' }).click();
  await page.getByText('marked stale in').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  const row = page.locator('tbody tr').first();
  await until('in the history', async () => (await row.innerText()).includes('test 7'));
  ok((await row.getAttribute('class')).includes('fresh'), 'not marked');
  equal(mock.bodies.at(-1).reason, 'test 7', 'reason');
  const rows = await page.locator('tbody tr').count();
  await page.getByRole('button', { name: 'Dry runs' }).click();
  equal(await page.locator('tbody tr').count(), rows + 1, 'rows with the preview');
  equal(mock.bodies.at(-1).select.urls.length, 2, 'URLs sent');
});

test('the form refuses what is no URL and sends nothing', async ({ page, mock }) => {
  await enter(page, mock, { page: 'purge' });
  await page.getByRole('button', { name: 'Preview…' }).click();
  await page.getByText('Write at least one URL').waitFor();
  await page.getByLabel('URLs, one a line').fill('/only/path');
  await page.getByText(/Line 1: needs the host too/).waitFor();
  await page.getByRole('button', { name: 'Preview…' }).click();
  equal(mock.bodies.length, 0, 'purges sent');
});

test('nothing matched: hints, and Purge anyway for what is in flight', async ({ page, mock }) => {
  await enter(page, mock, { page: 'purge' });
  await page.getByLabel('URLs, one a line').fill('http://shop.example/absent');
  await page.getByRole('button', { name: 'Preview…' }).click();
  await page.getByText('with a slash at the end').waitFor();
  await page.getByRole('button', { name: 'Purge anyway' }).click();
  await page.getByText('0 objects').first().waitFor();
  equal(mock.bodies.at(-1).dry_run, false, 'dry run');
});

test('a purge made elsewhere appears in the history', async ({ page, mock }) => {
  await enter(page, mock, { page: 'purge' });
  await page.locator('tbody tr').first().waitFor(); // the history is there
  const rows = await page.locator('tbody tr').count();
  const made = { ...mock.purges[0], id: 'p_else', reason: 'from the command line', dry_run: false };
  mock.purges.unshift(made);
  for (const stream of mock.streams) {
    mock.event(stream, 'purge', made);
  }
  await page.getByText('from the command line').waitFor();
  equal(await page.locator('tbody tr').count(), rows + 1, 'rows');
});

test('a token that may only read sees why it cannot purge', async ({ page, mock }) => {
  await enter(page, mock, { token: 'read-token' });
  ok(await page.locator('.cell-action button').first().isDisabled(), 'row button');
  await page.getByRole('link', { name: 'Purge', exact: true }).click();
  await page.getByText('lacks the scope').waitFor();
  ok(await page.getByRole('button', { name: 'Preview…' }).isDisabled(), 'form button');
});

test(
  'a purge that finds no server says so and can be tried again',
  async ({ page, mock }) => {
    await enter(page, mock);
    await page.route('**/api/v1/purges', (route) => route.abort());
    await page.locator('.cell-action button').first().click();
    await page.getByText('No answer from the admin server. Is Larder running').waitFor();
    await page.unroute('**/api/v1/purges');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: /^Soft-purge/ }).waitFor();
  },
  { allow: HTTP },
);

test('a long silence is a problem, told with the time of what is shown', async ({ page, mock }) => {
  await enter(page, mock);
  mock.frozen = true;
  mock.silent = true;
  await page.locator('.strip', { hasText: /No answer from Larder for [1-5]\d\ss: what is shown is from/ }).waitFor();
  ok((await page.title()).startsWith('● '), await page.title());
  mock.frozen = false;
  mock.silent = false;
  await page.locator('.strip').waitFor({ state: 'detached' });
  ok(!(await page.title()).startsWith('● '), await page.title());
});

test(
  'a refused URL is named',
  async ({ page, mock }) => {
    await enter(page, mock, { page: 'purge' });
    await page.getByLabel('URLs, one a line').fill('http://refused.example/');
    await page.getByRole('button', { name: 'Preview…' }).click();
    await page.getByText('http://refused.example/: no site has this host').waitFor();
  },
  { allow: HTTP },
);

test('who purged is said in words', async ({ page, mock }) => {
  mock.purges.unshift({ ...mock.purges[0], id: 'p_link', by: 'session:login-code', dry_run: false });
  await enter(page, mock, { page: 'purge' });
  equal(await page.locator('td[data-label=by]').first().innerText(), 'login link', 'by');
});

test('problems are told in words, with the facts of the log', async ({ page, mock }) => {
  mock.scenario = 'problems';
  await enter(page, mock);
  const told = page.locator('#problems li').filter({ hasText: 'A request to an origin failed' });
  await told.waitFor();
  const text = await told.innerText();
  ok(text.includes('origin app/app-1') && text.includes('error incomplete'), text);
  ok(!(await page.locator('#problems').innerText()).includes('='), 'a key=value is left');
});

test('silence makes the numbers stale, news heal them', async ({ page, mock }) => {
  await enter(page, mock);
  mock.frozen = true;
  await page.locator('.live-stale').waitFor();
  ok((await page.locator('main').getAttribute('class')).includes('dim'), 'not dimmed');
  ok(/^Stale ([5-9]|[1-5]\d)\b/.test(await page.locator('.live').innerText()), await page.locator('.live').innerText());
  mock.frozen = false;
  await page.locator('.live-live').waitFor();
});

test(
  'a refused stream falls back to polling, and comes back',
  async ({ page, mock }) => {
    mock.noStream = true;
    await enter(page, mock);
    await page.locator('.live-polling').waitFor();
    const asked = mock.requests.filter((r) => r === 'GET /api/v1/stats').length;
    await until(
      'polls again',
      () => mock.requests.filter((r) => r === 'GET /api/v1/stats').length > asked,
    );
    mock.noStream = false;
    await page.locator('.live-live').waitFor({ timeout: 90_000 });
  },
  { allow: HTTP },
);

test('a hidden tab holds no stream', async ({ page, mock }) => {
  await enter(page, mock);
  const hide = (hidden) =>
    page.evaluate((h) => {
      Object.defineProperty(document, 'hidden', { value: h, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  equal(mock.streams.size, 1, 'streams');
  await hide(true);
  await until('closed', () => mock.streams.size === 0);
  await hide(false);
  await page.locator('.live-live').waitFor();
  equal(mock.streams.size, 1, 'streams');
});

test(
  'an ended session asks again over the page and goes on where it was',
  async ({ page, mock }) => {
    await enter(page, mock, { page: 'purge' });
    await page.getByLabel('URLs, one a line').fill('http://shop.example/kept');
    mock.endSessions();
    await page.getByText('Your session has ended').waitFor();
    await page.keyboard.press('Escape');
    ok(await page.locator('dialog').isVisible(), 'it can be left');
    await page.locator('dialog input[type=password]').fill('good-token');
    await page.keyboard.press('Enter');
    await page.locator('dialog').waitFor({ state: 'detached' });
    equal(await page.getByLabel('URLs, one a line').inputValue(), 'http://shop.example/kept', 'text');
    await page.locator('.live-live').waitFor();
  },
  { allow: HTTP },
);

test(
  'a login in another tab does not break purging here',
  async ({ page, mock }) => {
    await enter(page, mock);
    const [[, session]] = mock.sessions;
    session.csrf = 'another';
    await page.locator('.cell-action button').first().click();
    await page.getByRole('button', { name: /^Soft-purge/ }).waitFor();
  },
  { allow: HTTP },
);

test('sign out ends the session here and on the server', async ({ page, mock }) => {
  await enter(page, mock);
  await page.locator('.account summary').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  equal(mock.sessions.size, 0, 'sessions');
  await until('no stream', () => mock.streams.size === 0);
  await page.reload();
  await page.getByLabel('Token').waitFor();
});

test('the theme is kept and applied before the first paint', async ({ page, mock }) => {
  await enter(page, mock);
  await page.getByRole('radio', { name: 'Dark theme' }).check();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.reload({ waitUntil: 'commit' });
  await page.waitForFunction(() => document.body !== null);
  equal(
    await page.evaluate(() => document.documentElement.dataset.theme),
    'dark',
    'theme at the first moment',
  );
  await page.locator('.tile .value').first().waitFor();
  equal(await ground(), dark, 'ground');
  await page.getByRole('radio', { name: 'Auto theme' }).check();
  ok((await ground()) !== dark, 'auto is not light');
});

test('problems change title and icon', async ({ page, mock }) => {
  await enter(page, mock);
  equal(await page.title(), 'Overview · cache-2 · Larder', 'title');
  equal(await page.locator('#icon').getAttribute('href'), 'icon.svg', 'icon');
  mock.scenario = 'problems';
  await page.locator('.strip').waitFor();
  equal(await page.title(), '● Overview · cache-2 · Larder', 'title');
  equal(await page.locator('#icon').getAttribute('href'), 'icon-error.svg', 'icon');
  equal(await page.locator('.strip .level').first().innerText(), 'Error', 'worst first');
});

test('by keyboard alone: skip link, range, menu', async ({ page, mock }) => {
  await enter(page, mock);
  await page.keyboard.press('Tab');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content', 'first stop');
  await page.keyboard.press('Enter');
  equal(await page.evaluate(() => document.activeElement.id), 'main', 'after skipping');
  ok(!page.url().includes('#main'), 'the page was lost');
  await page.getByRole('radio', { name: '5 min' }).focus();
  await page.keyboard.press('ArrowRight');
  ok(await page.getByRole('radio', { name: '1 h' }).isChecked(), 'arrow key');
  await page.locator('.account summary').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'hidden' });
});

test('hostile names stay text', async ({ page, mock }) => {
  mock.purges.unshift({
    ...mock.purges[0],
    id: 'p_evil',
    reason: '<img src=x onerror=alert(1)>',
    results: [{ url: 'http://a/"><script>alert(1)</script>', matched: 1 }],
  });
  await enter(page, mock, { page: 'purge' });
  await page.getByText('<img src=x onerror=alert(1)>').waitFor();
  equal(await page.locator('main img, main script').count(), 0, 'elements made of text');
});

export async function behaviourRun(browser, mock, only) {
  for (const { name, body, allow } of [...tests, ...originTests, ...accessTests].filter((t) => only === undefined || only.test(t.name))) {
    mock.reset('normal');
    mock.dropStreams();
    const { page, faults, close } = await openPage(browser, mock.base);
    await check(name, async () => {
      await body({ page, mock });
      noFaults(faults, allow);
    });
    await close();
  }
}
