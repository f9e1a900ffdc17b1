// What the page of origins does, against the stand-in server.
import { equal, ok, until } from './harness.mjs';
import { enter } from './states.mjs';

const HTTP = /Failed to load resource/;

const row = (page, name) =>
  page.locator('tbody tr').filter({ has: page.getByRole('rowheader', { name: new RegExp(`^${name}`) }) });

export const originTests = [
  {
    name: 'origins: a server is drained with a reason, and put back',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins' });
      await page.getByRole('button', { name: 'Drain app/app-1' }).click();
      equal(await page.getByText('will be left').count(), 0, 'warnings while others are left');
      await page.getByLabel('Reason').fill('deploy 8812');
      await page.keyboard.press('Enter');
      await until('drain is shown', async () => /drain.*deploy 8812/s.test(await row(page, 'app-1').innerText()));
      equal(JSON.stringify(mock.bodies), '[{"state":"drain","reason":"deploy 8812"}]', 'what was sent');
      equal(await page.locator('dialog').count(), 0, 'dialogs');
      await page.getByRole('button', { name: 'Up app/app-1' }).click();
      await page.getByRole('button', { name: 'Put it back' }).click();
      await until('up is shown', async () => /\bup\b/.test(await row(page, 'app-1').innerText()));
    },
  },
  {
    name: 'origins: the last server warns before it goes, and Escape changes nothing',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins' });
      await page.getByRole('button', { name: 'Maintenance media/media-1' }).click();
      await page.getByText('No server of pool media will be left').waitFor();
      await page.keyboard.press('Escape');
      equal(mock.bodies.length, 0, 'orders sent');
      await page.getByRole('button', { name: 'Maintenance media/media-1' }).click();
      await page.getByRole('button', { name: 'Begin maintenance' }).click();
      await page.getByText('No server is left').waitFor();
      await page.getByRole('link', { name: 'Origins 1 problem' }).waitFor();
    },
  },
  {
    name: 'origins: what the server refuses is said in the dialog',
    allow: HTTP,
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins' });
      await page.getByRole('button', { name: 'Drain app/app-1' }).click();
      await page.getByLabel('Reason').fill('refuse this');
      await page.keyboard.press('Enter');
      await page.getByText('pool app has no server "app-3"').waitFor();
      ok(await page.getByRole('button', { name: 'Cancel' }).isEnabled(), 'cannot be left');
    },
  },
  {
    name: 'origins: a check now shows its result',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins' });
      await page.getByRole('button', { name: 'Check now: app/app-3' }).click();
      await until('the result', async () => (await row(page, 'app-3').innerText()).includes('1.20'));
      ok(mock.requests.includes('POST /api/v1/origins/app/app-3/check'), mock.requests.join());
    },
  },
  {
    name: 'origins: the overview shows the worst first, and the strip leads to the page',
    body: async ({ page, mock }) => {
      mock.reset('problems');
      await enter(page, mock);
      const first = page.locator('.health li').first();
      ok(/app\/app-3\s+down/.test(await first.innerText()), await first.innerText());
      ok((await first.innerText()).includes('3 checks failed'), 'no reason');
      await page.locator('.strip').getByRole('link', { name: 'Origins' }).click();
      await page.locator('.origins-page').waitFor();
      ok((await page.title()).includes('Origins'), await page.title());
    },
  },
  {
    name: 'origins: a token that may only look changes nothing',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins', token: 'read-token' });
      await page.getByText('lacks the scope “admin”').waitFor();
      equal(await page.locator('.cell-orders button:enabled').count(), 0, 'buttons');
    },
  },
  {
    name: 'sites: one is put into maintenance with a reason, and taken out',
    body: async ({ page, mock }) => {
      await enter(page, mock, { page: 'origins' });
      await page.getByRole('button', { name: 'Maintenance… of www.shop.example' }).click();
      await page.getByText('Visitors get 503').waitFor();
      await page.getByLabel('Reason').fill('new release');
      await page.keyboard.press('Enter');
      await until('maintenance is shown', async () =>
        /maintenance.*new release/s.test(await row(page, 'www.shop.example').innerText()),
      );
      await page.getByRole('button', { name: 'End maintenance… of www.shop.example' }).click();
      await page.getByRole('button', { name: 'End maintenance', exact: true }).click();
      await until('serving is shown', async () => /serving/.test(await row(page, 'www.shop.example').innerText()));
      equal(
        JSON.stringify(mock.bodies),
        '[{"on":true,"reason":"new release"},{"on":false,"reason":""}]',
        'what was sent',
      );
    },
  },
];
