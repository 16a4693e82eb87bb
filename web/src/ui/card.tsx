import type { ReactNode } from "react";

export type Row = readonly [name: string, value: ReactNode, isBad?: boolean];

/** A block of named values. */
export function Card({ title, rows, children }: { title: string; rows: readonly Row[]; children?: ReactNode }) {
  return (
    <section className="min-w-0 rounded border border-line bg-panel" aria-label={title}>
      <h2 className="caption border-line border-b px-3 py-1.5">{title}</h2>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 px-3 py-1.5">
        {rows.map(([name, value, isBad]) => (
          <div key={name} className="contents">
            <dt className="whitespace-nowrap py-1 text-dim">{name}</dt>
            <dd className={`num py-1 text-right whitespace-normal wrap-anywhere ${isBad ? "text-short" : ""}`}>
              {value}
            </dd>
          </div>
        ))}
      </dl>
      {children}
    </section>
  );
}
