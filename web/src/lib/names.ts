// What symbols are called where there is little room.

import type { Config, SymbolInfo } from "../api.gen";

/** Their base assets, where all are priced in one asset, none ends on a day, and no two have one name; else symbols. */
export function shortNames(symbols: readonly string[], { symbols: known }: Pick<Config, "symbols">): readonly string[] {
  const infos = symbols.map((symbol) => known.find((info) => info.symbol === symbol));
  const quote = infos[0]?.quote;
  const bases = infos.map((info) => baseIn(info, quote));
  const names = bases.filter((base) => base !== undefined);
  return new Set(names).size === symbols.length ? names : symbols;
}

const baseIn = (info: SymbolInfo | undefined, quote: string | null | undefined): string | undefined =>
  quote && info?.quote === quote && info.kind !== "future" ? (info.base ?? undefined) : undefined;

/** `ETHUSDT` and `BTCUSDT` as `ETH/BTC`. */
export const pairName = (y: string, x: string, config: Pick<Config, "symbols">): string =>
  shortNames([y, x], config).join("/");
