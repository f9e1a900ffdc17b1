// The sites, and the switch that puts one into maintenance: visitors get a page of ours instead.
import { useId, useState } from 'preact/hooks';
import type { Api, Site } from './api';
import * as f from './format';
import { siteWords, whoOf } from './model';
import { usePolled } from './parts';
import { ReasonDialog } from './reason-dialog';

const REFRESH_MS = 5_000;

function SwitchDialog({
  api,
  site,
  onClose,
  onDone,
}: {
  api: Api;
  site: Site;
  onClose: () => void;
  onDone: () => void;
}) {
  const on = !site.maintenance.on;
  const title = on ? 'Maintenance' : 'End maintenance';

  return (
    <ReasonDialog
      title={title}
      subject={site.name}
      verb={on ? 'Begin maintenance' : title}
      isGrave={on}
      reasonMax={on ? 120 : 0}
      act={(reason) => api.siteMaintain(site.name, on, reason)}
      onClose={onClose}
      onDone={onDone}
    >
      <p class={on ? 'warning' : ''}>
        {on
          ? `Visitors get 503 and the maintenance page${site.maintenance.cached ? ', but for what is cached' : ''}.`
          : 'Visitors get the site again.'}
      </p>
    </ReasonDialog>
  );
}

function Row({
  site,
  now,
  canOperate,
  onSwitch,
}: {
  site: Site;
  now: number;
  canOperate: boolean;
  onSwitch: (site: Site) => void;
}) {
  const { on, reason, by, since } = site.maintenance;
  const at = since === null ? null : f.unixOf(since);
  const why = [reason, by === '' ? '' : `by ${whoOf(by)}`].filter(Boolean).join(', ');
  return (
    <tr role="row">
      <th scope="row" role="rowheader" class="cell-server">
        {site.name}
        {siteWords(site.name) !== null && <span class="note">{siteWords(site.name)}</span>}
        {site.names.length > 1 && <span class="note url">{site.names.slice(1).join(', ')}</span>}
      </th>
      <td role="cell" class="cell-state">
        <span class={`state tone-${on ? 'warn' : 'good'}`}>{on ? 'maintenance' : 'serving'}</span>
        {on && at !== null && (
          <time class="note" dateTime={since ?? ''} title={f.utc(since ?? '')}>
            {' '}
            for {f.duration(now - at)}
          </time>
        )}
        {on && why !== '' && <span class="reason-text">{why}</span>}
      </td>
      <td role="cell" class="cell-orders">
        <button
          type="button"
          class="small"
          disabled={!canOperate}
          aria-label={`${on ? 'End maintenance' : 'Maintenance'}… of ${site.name}`}
          onClick={() => onSwitch(site)}
        >
          {on ? 'End maintenance…' : 'Maintenance…'}
        </button>
      </td>
    </tr>
  );
}

export function Sites({
  api,
  now,
  active,
  canOperate,
}: {
  api: Api;
  now: number;
  active: boolean;
  canOperate: boolean;
}) {
  const id = useId();
  const { data: sites, error, again } = usePolled(() => api.sites(), REFRESH_MS, active, api);
  const [chosen, setChosen] = useState<Site | null>(null);
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Sites</h2>
      </header>
      {error !== '' && (
        <p class="inline-error" role="alert">
          The sites could not be read: {error}
        </p>
      )}
      {sites === null && error === '' && <div class="skeleton block" />}
      {sites !== null && (
        <table class="cards" role="table" aria-labelledby={id}>
          <thead role="rowgroup">
            <tr role="row">
              <th scope="col" role="columnheader">
                Site
              </th>
              <th scope="col" role="columnheader">
                State
              </th>
              <th scope="col" role="columnheader">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {sites.map((site) => (
              <Row key={site.name} site={site} now={now} canOperate={canOperate} onSwitch={setChosen} />
            ))}
          </tbody>
        </table>
      )}
      {chosen !== null && (
        <SwitchDialog
          api={api}
          site={chosen}
          onClose={() => setChosen(null)}
          onDone={() => {
            setChosen(null);
            again();
          }}
        />
      )}
    </section>
  );
}
