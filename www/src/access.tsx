// The forward proxies: what they denied and by which rule, tunnels, who asks for what.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Denials } from './access-denials';
import { Lists, Quotas, Tunnels } from './access-lists';
import { accessChosen, accessRate, accessShare, accessSum, ruleRows, ruleText } from './access-model';
import type { AccessSum, RuleRow } from './access-model';
import { AccessTest } from './access-test';
import type { Access, Api, DenialFilter } from './api';
import * as f from './format';
import { Segments, usePolled } from './parts';

const REFRESH_MS = 2_000;

interface TileProps {
  label: string;
  number: f.Quantity;
  aside: string;
  rows: [string, string][];
}

function Tile({ label, number, aside, rows }: TileProps) {
  const id = useId();
  return (
    <section class="tile plain-tile" aria-labelledby={id}>
      <header>
        <h2 id={id}>{label}</h2>
      </header>
      <p class="number">
        <span class={number.value.length > 4 ? 'value long' : 'value'}>{number.value}</span>
        {number.unit !== '' && <span class="unit">{number.unit}</span>}
        {aside !== '' && <span class="aside">{aside}</span>}
      </p>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Tiles({ access, forward, sums }: { access: Access; forward: string; sums: [AccessSum | null, AccessSum] }) {
  const [before, now] = sums;
  const chosen = accessChosen(access, forward);
  const seen = (of: 'users_seen' | 'clients_seen'): string =>
    f.text(f.count(chosen.reduce((sum, one) => sum + one[of], 0)));
  const down = chosen.reduce((sum, one) => sum + one.tunnel_bytes_to_client, 0);
  const up = chosen.reduce((sum, one) => sum + one.tunnel_bytes_to_origin, 0);
  return (
    <div class="tiles access-tiles">
      <Tile
        label="Requests"
        number={f.rate(accessRate(before, now, 'requests'))}
        aside=""
        rows={[
          ['since the start', f.text(f.count(now.requests))],
          ['clients, users', `${seen('clients_seen')}, ${seen('users_seen')}`],
        ]}
      />
      <Tile
        label="Denied"
        number={f.count(now.denied)}
        aside={f.text(f.percent(accessShare(now)))}
        rows={[
          ['now', f.text(f.rate(accessRate(before, now, 'denied')))],
          ['asked to log in', f.text(f.count(chosen.reduce((sum, one) => sum + one.challenges, 0)))],
        ]}
      />
      <Tile
        label="Tunnels"
        number={f.count(now.tunnels)}
        aside="open now"
        rows={[['opened since the start', f.text(f.count(now.tunnelsTotal))]]}
      />
      <Tile
        label="Through tunnels"
        number={f.byteRate(accessRate(before, now, 'tunnelBytes'))}
        aside=""
        rows={[
          ['to clients', f.text(f.bytes(down))],
          ['to servers', f.text(f.bytes(up))],
        ]}
      />
    </div>
  );
}

function Rule({ row, many, onShow }: { row: RuleRow; many: boolean; onShow: (row: RuleRow) => void }) {
  return (
    <tr role="row">
      <th scope="row" role="rowheader" class="cell-rule">
        {row.name}
        {many && <span class="note"> {row.forward}</span>}
        <span class={`note wrap ${row.text === null ? 'block-note' : 'url'}`}>{ruleText(row)}</span>
        {row.at !== null && <span class="note path">{row.at}</span>}
      </th>
      <td role="cell" class="num" data-label="allowed" title={f.exact(row.allowed)}>
        {f.text(f.count(row.allowed))}
      </td>
      <td role="cell" class={`num ${row.denied > 0 ? 'bad-text' : ''}`} data-label="denied" title={f.exact(row.denied)}>
        {f.text(f.count(row.denied))}
      </td>
      <td role="cell" class="cell-action">
        <button
          type="button"
          class="small"
          disabled={row.denied === 0}
          aria-label={`Denials by ${row.name}`}
          onClick={() => onShow(row)}
        >
          Denials
        </button>
      </td>
    </tr>
  );
}

function Rules({ rows, many, onShow }: { rows: RuleRow[]; many: boolean; onShow: (row: RuleRow) => void }) {
  const id = useId();
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Rules</h2>
        <p class="note">since the start; the first that holds decides</p>
      </header>
      {rows.length === 0 && <p class="blank">No rule has decided on anything yet.</p>}
      {rows.length > 0 && (
        <table class="cards" role="table" aria-labelledby={id}>
          <thead role="rowgroup">
            <tr role="row">
              <th scope="col" role="columnheader">
                Rule
              </th>
              <th scope="col" role="columnheader" class="num">
                Allowed
              </th>
              <th scope="col" role="columnheader" class="num">
                Denied
              </th>
              <th scope="col" role="columnheader">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.map((row) => (
              <Rule key={`${row.forward} ${row.name}`} row={row} many={many} onShow={onShow} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

interface PageProps {
  api: Api;
  forwards: readonly string[];
  now: number;
  active: boolean;
}

interface Reading {
  access: Access;
  at: number; // seconds
}

const NO_FILTER = { rule: '', client: '', host: '' };

export function AccessPage({ api, forwards, now, active }: PageProps) {
  const [chosen, setChosen] = useState('');
  const [filter, setFilter] = useState<Omit<DenialFilter, 'forward'>>(NO_FILTER);
  const forward = forwards.includes(chosen) ? chosen : '';
  const { data: access, error } = usePolled(() => api.access(), REFRESH_MS, active, api);
  const [readings, setReadings] = useState<[Reading | null, Reading] | null>(null);
  const denials = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (access !== null) {
      const reading = { access, at: performance.now() / 1000 };
      setReadings((was) => [was === null ? null : was[1], reading]);
    }
  }, [access]);
  const sumOf = ({ access, at }: Reading): AccessSum => accessSum(accessChosen(access, forward), at);
  const rows = ruleRows(accessChosen(access, forward));
  return (
    <div class="access-page">
      <h1 class="hidden">Access</h1>
      {forwards.length > 1 && (
        <div class="range-bar">
          <Segments
            name="forward"
            legend="Forward proxy"
            items={[{ key: '', label: 'All' }, ...forwards.map((name) => ({ key: name, label: name }))]}
            value={forward}
            onChange={setChosen}
          />
        </div>
      )}
      {error !== '' && (
        <p class="inline-error" role="alert">
          The forward proxies could not be read: {error}
        </p>
      )}
      {access === null && error === '' && <div class="panel skeleton block" />}
      {readings !== null && (
        <Tiles
          access={readings[1].access}
          forward={forward}
          sums={[readings[0] === null ? null : sumOf(readings[0]), sumOf(readings[1])]}
        />
      )}
      <div class="lower access-lower">
        <Rules
          rows={rows}
          many={forward === '' && forwards.length > 1}
          onShow={(row) => {
            setFilter({ ...NO_FILTER, rule: row.name });
            denials.current?.focus();
            denials.current?.scrollIntoView({ block: 'nearest' });
          }}
        />
        <AccessTest api={api} forwards={forwards} forward={forward} />
      </div>
      <div ref={denials} tabIndex={-1} class="focus-target">
        <Denials
          api={api}
          forward={forward}
          many={forward === '' && forwards.length > 1}
          filter={filter}
          rules={rows.filter((row) => row.denied > 0).map((row) => row.name)}
          now={now}
          active={active}
          onFilter={setFilter}
        />
      </div>
      <Tunnels api={api} forward={forward} active={active} />
      <Lists api={api} forward={forward} now={now} active={active} />
      <Quotas api={api} forward={forward} active={active} />
    </div>
  );
}
