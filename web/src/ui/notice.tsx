import type { ReactNode } from "react";

/** In the place of a picture: what is the case, and what to do about it. */
export function Notice({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-2 p-6 text-center">
      <p className="font-semibold text-[14px] first-letter:uppercase">{title}</p>
      {children ? <div className="max-w-md text-dim first-letter:uppercase">{children}</div> : null}
      {action}
    </div>
  );
}

export function ChartSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="skeleton flex h-full flex-col gap-3 p-4">
      <div className="h-3 w-64 rounded bg-raised" />
      <div className="flex flex-1 items-end gap-1.5 overflow-hidden">
        {SHAPE.map(({ key, height }) => (
          <div key={key} className={`w-2 shrink-0 rounded-sm bg-raised ${height}`} />
        ))}
      </div>
      <div className="h-16 rounded bg-raised" />
      <div className="h-12 rounded bg-raised" />
    </div>
  );
}

export function TableSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="skeleton flex h-full flex-col gap-2 p-4">
      {SHAPE.slice(0, 12).map(({ key }) => (
        <div key={key} className="h-4 rounded bg-raised" />
      ))}
    </div>
  );
}

const HEIGHTS = ["h-1/3", "h-1/2", "h-2/5", "h-3/5", "h-1/2", "h-2/3", "h-3/5", "h-2/5"];
const SHAPE = Array.from({ length: 96 }, (_, i) => ({ key: i, height: HEIGHTS[(i * 7 + (i >> 2)) % HEIGHTS.length] }));
