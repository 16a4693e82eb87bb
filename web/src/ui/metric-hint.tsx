import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { MetricInfo, Quantity } from "../api.gen";
import { missingOf } from "../lib/format";
import { flagText, reasonText, restsOn } from "../lib/quantity";
import { dateTime } from "../lib/time";
import { request } from "../wire/client";
import { useZone } from "./clock";

/** The catalogue of metrics by scope and name: titles, formulas, references. */
export function useCatalogue(scope: MetricInfo["scope"]): ReadonlyMap<string, MetricInfo> {
  const { data } = useQuery({
    queryKey: ["metrics"],
    queryFn: ({ signal }) => request("GET /metrics/catalogue", {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return useMemo(
    () => new Map((data ?? []).filter((info) => info.scope === scope).map((info) => [info.name, info])),
    [data, scope],
  );
}

interface Props {
  info: MetricInfo | undefined;
  quantity: Quantity | undefined;
  more?: string | undefined; // what is to be said of this value
}

/** What a number means and what it was made from. */
export function MetricHint({ info, quantity, more }: Props) {
  const zone = useZone();
  const reason = reasonText(quantity);
  const flags = flagText(quantity);
  return (
    <div className="space-y-1">
      {info ? (
        <>
          <p className="font-semibold">{info.title}</p>
          <p className="num whitespace-normal text-dim">{info.formula}</p>
          {info.remark ? <p className="text-dim">{info.remark}</p> : null}
        </>
      ) : null}
      {more ? <p>{more}</p> : null}
      {flags ? <p className="text-dim">{`${flags.charAt(0).toUpperCase()}${flags.slice(1)}.`}</p> : null}
      {reason ? <p className="text-short">No value: {reason}.</p> : null}
      {quantity ? (
        <p className="text-dim">
          {restsOn(quantity, info)}
          {quantity.as_of_ms === null ? null : (
            <>
              , as of <span className="num">{dateTime(quantity.as_of_ms, zone)}</span>
            </>
          )}
          , missing <span className="num">{missingOf(quantity.missing, quantity.missing_reason)}</span>
        </p>
      ) : null}
    </div>
  );
}
