// The six numbers at the top of the overview, each with its instrument, context and formula.
import { useId, useState } from 'preact/hooks';
import { InstrumentView } from './charts';
import type { Tile } from './model';

const LONG = 4; // figures; what has more is set smaller, so that the words beside it keep their place

// Shown while the pointer or the focus is on it; Escape hides it (WCAG 1.4.13).
function Formula({ tile }: { tile: Tile }) {
  const id = useId();
  const [hushed, setHushed] = useState(false);
  return (
    <span class={`formula${hushed ? ' hushed' : ''}`} onMouseLeave={() => setHushed(false)}>
      <button
        type="button"
        aria-label={`Formula: ${tile.label}`}
        aria-describedby={id}
        onKeyDown={(e) => e.key === 'Escape' && setHushed(true)}
        onBlur={() => setHushed(false)}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M11.5 3.2c-1.8-.9-3 .1-3.4 2L6.6 11c-.5 1.9-1.5 2.6-3 1.9M5.3 6.6h5.2" />
        </svg>
      </button>
      <span role="tooltip" id={id} class="tip">
        {tile.formula}
      </span>
    </span>
  );
}

function TileView({ tile }: { tile: Tile }) {
  const id = useId();
  return (
    <section class={`tile tile-${tile.key} tone-${tile.tone}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{tile.label}</h2>
        <Formula tile={tile} />
      </header>
      <p class="number">
        <span class={tile.number.value.length > LONG ? 'value long' : 'value'}>{tile.number.value}</span>
        {tile.number.unit !== '' && <span class="unit">{tile.number.unit}</span>}
        {tile.aside !== '' && <span class="aside">{tile.aside}</span>}
      </p>
      <InstrumentView instrument={tile.instrument} />
      <dl>
        {tile.rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Tiles({ tiles }: { tiles: Tile[] }) {
  return (
    <div class="tiles">
      {tiles.map((tile) => (
        <TileView key={tile.key} tile={tile} />
      ))}
    </div>
  );
}

// Sized like the tiles themselves, so that nothing moves when the numbers come.
export function TilesLoading() {
  return (
    <div class="tiles" aria-hidden="true">
      {['a', 'b', 'c', 'd', 'e', 'f'].map((key) => (
        <div key={key} class="tile skeleton" />
      ))}
    </div>
  );
}
