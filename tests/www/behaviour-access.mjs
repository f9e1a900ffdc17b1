// What the page of the forward proxies does, against the stand-in server.
import { equal, ok, until } from './harness.mjs';
import { enter } from './states.mjs';

const HTTP = /Failed to load resource/;

const panel = (page, name) => page.locator('.access-page section').filter({ has: page.getByRole('heading', { name, exact: true }) });
const rows = (page, name) => panel(page, name).locator('tbody tr');
const last = (mock, path) => mock.queries.filter((q) => q.startsWith(path)).at(-1) ?? '';

export const accessTests = [
  {
    name: 'access: who was asked for a password is no denial; each denial has the reference of its page',
    body: async ({ page, mock }) => {
      mock.reset('one-forward');
      await enter(page, mock, { page: 'access' });
      const tile = panel(page, 'Denied');
      await until('the challenges', async () => /asked to log in\s*48/.test(await tile.innerText()));
      await rows(page, 'Denials').first().waitFor();
      equal((await rows(page, 'Denials').first().locator('.reference').innerText()).trim(), '4f1c90ab00000082', 'reference');
    },
  },
  {
    name: 'access: no page and no question without a forward proxy',
    body: async ({ page, mock }) => {
      mock.reset('no-forward');
      await enter(page, mock);
      equal(await page.getByRole('navigation').getByRole('link', { name: 'Access' }).count(), 0, 'links');
      await page.evaluate(() => (location.hash = '#/access'));
      await page.locator('.tile .value').first().waitFor();
      equal(await page.locator('.access-page').count(), 0, 'pages');
      ok((await page.title()).startsWith('Overview'), await page.title());
      ok(!mock.requests.some((r) => r.includes('/access')), mock.requests.join());
    },
  },
  {
    name: 'access: figures grow, and rates are made of them',
    body: async ({ page, mock }) => {
      mock.reset('one-forward');
      await enter(page, mock, { page: 'access' });
      const tile = panel(page, 'Requests');
      await until('a rate', async () => /^(2[5-9]|3\d)/.test(await tile.locator('.value').innerText()));
      equal((await panel(page, 'Tunnels').locator('.value').innerText()).trim(), '311', 'tunnels');
      await until('bytes a second', async () => (await panel(page, 'Through tunnels').locator('.number').innerText()).includes('MiB/s'));
      ok((await page.title()).startsWith('Access'), await page.title());
    },
  },
  {
    name: 'access: rules with text and line; one leads to its denials',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      const ads = rows(page, 'Rules').filter({ hasText: 'ads' }).first();
      const text = await ads.innerText();
      ok(text.includes('host file:/etc/larder/blocked.txt') && text.includes('/etc/larder/larder.conf:41'), text);
      ok((await rows(page, 'Rules').filter({ hasText: 'not a public address' }).count()) === 1, 'built in: private');
      await ads.getByRole('button', { name: 'Denials by ads' }).click();
      await until('only ads', async () => {
        const rules = await rows(page, 'Denials').locator('.rule-name').allInnerTexts();
        return rules.length > 3 && rules.every((one) => one === 'ads');
      });
      ok(last(mock, '/access/denials').includes('rule=ads'), last(mock, '/access/denials'));
      equal(await page.getByLabel('Rule', { exact: true }).inputValue(), 'ads', 'the filter');
    },
  },
  {
    name: 'access: denials come by themselves, once each, and older ones when asked for',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await until('a page', async () => (await rows(page, 'Denials').count()) === 20);
      await page.getByRole('button', { name: 'Older denials' }).click();
      await until('two pages', async () => (await rows(page, 'Denials').count()) === 40);
      mock.denied = [
        {
          ...{ id: 9001, time: new Date().toISOString(), forward: 'office', client: '192.0.2.99', user: 'zoe', status: 403 },
          ...{ method: 'GET', scheme: 'https', host: 'fresh.example', port: 8443, path: '/<b>x</b>', rule: 'ads', reason: 'new' },
        },
      ];
      await until('the new one', async () => (await rows(page, 'Denials').first().innerText()).includes('fresh.example'));
      const first = await rows(page, 'Denials').first().innerText();
      for (const word of ['192.0.2.99', 'zoe', 'https://fresh.example:8443', '/<b>x</b>', 'ads', 'new']) {
        ok(first.includes(word), `${word} is not in ${first}`);
      }
      equal(await rows(page, 'Denials').count(), 41, 'rows');
      await page.getByLabel('Host', { exact: true }).pressSequentially('nobody.example', { delay: 200 });
      equal(await page.getByLabel('Host', { exact: true }).inputValue(), 'nobody.example', 'what was typed');
      await page.getByText('Nothing like this was denied lately').waitFor();
    },
  },
  {
    name: 'access: an address is tested, by keyboard alone',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await page.getByLabel('Client its address').focus();
      await page.keyboard.type('10.8.0.12');
      await page.keyboard.press('Tab');
      await page.keyboard.type('metrics.tracker.example:443');
      await page.keyboard.press('Tab');
      await page.keyboard.type('anna');
      await page.keyboard.press('Enter');
      await page.getByText('Denied by “ads”').waitFor();
      equal(
        JSON.stringify(mock.bodies),
        '[{"client":"10.8.0.12","url":"metrics.tracker.example:443","forward":"office","user":"anna"}]',
        'what was asked',
      );
      const said = await page.locator('.test-answer').innerText();
      ok(said.includes('Blocked by policy') && said.includes('/etc/larder/larder.conf:41'), said);
      await page.getByLabel('URL or HOST:PORT').fill('http://rebind.example/');
      await page.keyboard.press('Enter');
      await page.locator('.test-answer .state').getByText('Allowed by “staff”').waitFor();
      const addresses = await page.locator('.test-addresses li').allInnerTexts();
      equal(addresses.length, 2, 'addresses');
      ok(/127\.0\.0\.1.*denied by “private”/.test(addresses[1]), addresses[1]);
    },
  },
  {
    name: 'access: what cannot be tested is said beside the fields',
    allow: HTTP,
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await page.getByRole('button', { name: 'Which rule decides?' }).click();
      await page.getByText('Who asks?').waitFor();
      equal(mock.bodies.length, 0, 'questions');
      await page.getByLabel('Client its address').fill('anna');
      await page.getByLabel('URL or HOST:PORT').fill('http://a.example/');
      await page.keyboard.press('Enter');
      await page.getByText('client is not an address like').waitFor();
    },
  },
  {
    name: 'access: one of several forward proxies',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await page.locator('.range-bar').getByRole('radio', { name: 'lab' }).check();
      await until('its rules', async () => (await rows(page, 'Rules').count()) === 2);
      await until('its denials', async () => last(mock, '/access/denials').includes('forward=lab'));
      await until('its tunnels', async () => last(mock, '/access/tunnels').includes('forward=lab'));
      await page.locator('.range-bar').getByRole('radio', { name: 'All' }).check();
      await until('all rules', async () => (await rows(page, 'Rules').count()) === 10);
    },
  },
  {
    name: 'access: tunnels and lists in every order',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await until('tunnels', async () => (await rows(page, 'Open tunnels').count()) === 5);
      ok((await rows(page, 'Open tunnels').first().innerText()).includes('www.example.org:443'), 'the oldest is not first');
      await page.getByRole('radio', { name: 'Most bytes' }).check();
      await until('by bytes', async () => (await rows(page, 'Open tunnels').first().innerText()).includes('registry.example.org'));
      for (const [list, first] of [
        ['Users', 'anna'],
        ['Clients', '10.8.0.12'],
        ['Destinations', 'www.example.org'],
      ]) {
        await page.getByRole('radio', { name: list }).check();
        await until(list, async () => (await rows(page, 'Who and where').first().innerText()).includes(first));
      }
      await panel(page, 'Who and where').getByRole('radio', { name: 'Denied' }).check();
      await until('by denials', async () => (await rows(page, 'Who and where').count()) === 3);
      ok((await rows(page, 'Quotas').first().innerText()).includes('user bert'), 'quotas');
      ok(/100.?%/.test(await rows(page, 'Quotas').first().innerText()), await rows(page, 'Quotas').first().innerText());
    },
  },
  {
    name: 'access: what was read stays when the server fails',
    allow: HTTP,
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'access' });
      await until('denials', async () => (await rows(page, 'Denials').count()) === 20);
      mock.badAccess = true;
      await page.getByText('The denials could not be read: The workers do not answer.').waitFor();
      equal(await rows(page, 'Denials').count(), 20, 'rows');
      mock.badAccess = false;
      await until('the error goes', async () => (await page.getByText('could not be read').count()) === 0);
    },
  },
];
