// Tunnels that are open, and who asks for what: lists of bounded length, asked for while they are shown.
import { useId, useState } from 'preact/hooks';
import { ago, tunnelTarget } from './access-model';
import type { AccessBy, AccessItem, AccessList, Api, Quota, TunnelBy } from './api';
import * as f from './format';
import { Segments, usePolled } from './parts';

const TUNNELS_MS = 2_000;
const LISTS_MS = 5_000;

function Fault({ what, error }: { what: string; error: string }) {
  return error === '' ? null : (
    <p class="inline-error" role="alert">
      {what} could not be read: {error}
    </p>
  );
}

function Head({ heads }: { heads: readonly [string, boolean][] }) {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {heads.map(([head, isNumber]) => (
          <th key={head} scope="col" role="columnheader" class={isNumber ? 'num' : ''}>
            {head}
          </th>
        ))}
      </tr>
    </thead>
  );
}

// ---- tunnels ----

const TUNNEL_BY: readonly { key: TunnelBy; label: string }[] = [
  { key: 'age', label: 'Longest' },
  { key: 'bytes', label: 'Most bytes' },
];

export function Tunnels({ api, forward, active }: { api: Api; forward: string; active: boolean }) {
  const id = useId();
  const [by, setBy] = useState<TunnelBy>('age');
  const { data, error } = usePolled(() => api.tunnels(forward, by), TUNNELS_MS, active, `${forward} ${by}`);
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Open tunnels</h2>
        {data !== null && <p class="note">{f.exact(data.open)} open</p>}
        <Segments name="tunnels-by" legend="Order of the tunnels" items={TUNNEL_BY} value={by} onChange={setBy} />
      </header>
      <Fault what="The tunnels" error={error} />
      {data === null && error === '' && <div class="skeleton block" />}
      {data !== null && data.items.length === 0 && <p class="blank">No tunnel is open.</p>}
      {data !== null && data.items.length > 0 && (
        <table class="cards" role="table" aria-labelledby={id}>
          <Head
            heads={[
              ['Server', false],
              ['Client, user', false],
              ['Open for', true],
              ['To the client', true],
              ['To the server', true],
            ]}
          />
          <tbody role="rowgroup">
            {data.items.map((one) => (
              <tr role="row" key={one.id}>
                <th scope="row" role="rowheader" class="cell-url">
                  <span class="url" title={tunnelTarget(one)}>
                    {tunnelTarget(one)}
                  </span>
                </th>
                <td role="cell" data-label="client" class="cell-who">
                  {one.client}
                  {one.user !== '' && <span class="note">{one.user}</span>}
                </td>
                <td role="cell" class="num" data-label="open for" title={f.utc(one.since)}>
                  {f.duration(one.age_s)}
                </td>
                <td role="cell" class="num" data-label="to the client" title={`${f.exact(one.bytes_to_client)} B`}>
                  {f.text(f.bytes(one.bytes_to_client))}
                </td>
                <td role="cell" class="num" data-label="to the server" title={`${f.exact(one.bytes_to_origin)} B`}>
                  {f.text(f.bytes(one.bytes_to_origin))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

// ---- destinations, users, clients ----

const LISTS: readonly { key: AccessList; label: string }[] = [
  { key: 'destinations', label: 'Destinations' },
  { key: 'users', label: 'Users' },
  { key: 'clients', label: 'Clients' },
];
const BY: readonly { key: AccessBy; label: string }[] = [
  { key: 'requests', label: 'Requests' },
  { key: 'denied', label: 'Denied' },
  { key: 'bytes', label: 'Bytes' },
];
const EMPTY: Record<AccessList, string> = {
  destinations: 'Nobody has asked for anything in this time.',
  users: 'Nobody has signed in in this time.',
  clients: 'Nobody has asked for anything in this time.',
};
const HEADS: Record<AccessList, string> = { destinations: 'Host', users: 'User', clients: 'Client' };

function Row({ item, share, now }: { item: AccessItem; share: number; now: number }) {
  const name = item.host ?? item.user ?? item.client ?? '';
  return (
    <tr role="row">
      <th scope="row" role="rowheader" class="cell-url">
        <span class="url" title={name}>
          {name}
        </span>
        <svg class="meter" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
          <rect width={share * 100} height="2" />
        </svg>
      </th>
      <td role="cell" class="num" data-label="requests" title={f.exact(item.requests)}>
        {f.text(f.count(item.requests))}
      </td>
      <td role="cell" class={`num ${item.denied > 0 ? 'bad-text' : ''}`} data-label="denied" title={f.exact(item.denied)}>
        {f.text(f.count(item.denied))}
      </td>
      <td role="cell" class="num" data-label="bytes" title={`${f.exact(item.bytes)} B`}>
        {f.text(f.bytes(item.bytes))}
      </td>
      <td role="cell" class="num" data-label="last" title={f.utc(item.last ?? '')}>
        {ago(item.last, now)}
      </td>
    </tr>
  );
}

interface ListsProps {
  api: Api;
  forward: string;
  now: number;
  active: boolean;
}

export function Lists({ api, forward, now, active }: ListsProps) {
  const id = useId();
  const [list, setList] = useState<AccessList>('destinations');
  const [by, setBy] = useState<AccessBy>('requests');
  const key = `${list} ${by} ${forward}`;
  const { data, error } = usePolled(() => api.accessList(list, by, forward), LISTS_MS, active, key);
  const most = data === null ? 0 : Math.max(0, ...data.items.map((one) => one[by]));
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Who and where</h2>
        {data !== null && (
          <p class="note">
            last {f.duration(data.window_s)}
            {data.error_bound > 0 && `, ±${f.text(f.count(data.error_bound))}`}
          </p>
        )}
        <Segments name="access-list" legend="List" items={LISTS} value={list} onChange={setList} />
        <Segments name="access-by" legend="Order by" items={BY} value={by} onChange={setBy} />
      </header>
      <Fault what="The list" error={error} />
      {data === null && error === '' && <div class="skeleton block" />}
      {data !== null && data.items.length === 0 && (
        <p class="blank">{by === 'denied' ? 'Nothing was denied in this time.' : EMPTY[list]}</p>
      )}
      {data !== null && data.items.length > 0 && (
        <table class="cards" role="table" aria-labelledby={id}>
          <Head
            heads={[
              [HEADS[list], false],
              ['Requests', true],
              ['Denied', true],
              ['Bytes', true],
              ['Last', true],
            ]}
          />
          <tbody role="rowgroup">
            {data.items.map((item) => (
              <Row
                key={`${item.forward} ${item.host ?? item.user ?? item.client ?? ''}`}
                item={item}
                share={most > 0 ? item[by] / most : 0}
                now={now}
              />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

// ---- quotas ----

function whose(quota: Quota): string {
  switch (quota.key) {
    case 'all':
      return 'all together';
    case 'others':
      return 'those without room of their own';
    default:
      return `${quota.key} ${quota.who}`;
  }
}

function QuotaRow({ quota }: { quota: Quota }) {
  const share = quota.limit_bytes > 0 ? quota.used_bytes / quota.limit_bytes : null;
  return (
    <tr role="row">
      <th scope="row" role="rowheader" class="cell-url">
        {whose(quota)}
        <svg class="meter" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
          <rect width={Math.min(1, share ?? 0) * 100} height="2" />
        </svg>
      </th>
      <td role="cell" data-label="quota">
        {quota.name} <span class="note">per {quota.per}</span>
      </td>
      <td role="cell" class="num" data-label="used" title={`${f.exact(quota.used_bytes)} B`}>
        {f.text(f.bytes(quota.used_bytes))}
      </td>
      <td role="cell" class="num" data-label="of" title={`${f.exact(quota.limit_bytes)} B`}>
        {quota.limit_bytes > 0 ? f.text(f.bytes(quota.limit_bytes)) : f.NONE}
      </td>
      <td role="cell" class={`num ${share !== null && share >= 1 ? 'bad-text' : ''}`} data-label="share">
        {f.text(f.percent(share))}
      </td>
      <td role="cell" class="num" data-label="begins anew" title={f.utc(quota.ends_at)}>
        {f.day(f.unixOf(quota.ends_at) ?? 0)}, {f.clock(f.unixOf(quota.ends_at) ?? 0, false)}
      </td>
    </tr>
  );
}

// Nothing of it is shown where nobody has an account.
export function Quotas({ api, forward, active }: { api: Api; forward: string; active: boolean }) {
  const id = useId();
  const { data, error } = usePolled(() => api.quotas(forward), LISTS_MS, active, forward);
  if (error === '' && (data === null || data.items.length === 0)) {
    return null;
  }
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Quotas</h2>
        {data !== null && <p class="note">{f.plural(data.total, 'account')}, those first that have used most</p>}
      </header>
      <Fault what="The quotas" error={error} />
      {data !== null && (
        <table class="cards" role="table" aria-labelledby={id}>
          <Head
            heads={[
              ['Whose', false],
              ['Quota', false],
              ['Used', true],
              ['Of', true],
              ['Share', true],
              ['Begins anew', true],
            ]}
          />
          <tbody role="rowgroup">
            {data.items.map((quota) => (
              <QuotaRow key={`${quota.forward} ${quota.name} ${quota.key} ${quota.who}`} quota={quota} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
