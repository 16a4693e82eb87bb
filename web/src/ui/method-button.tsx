import { methodDoubt, type Terms, termsText, USUAL_TERMS } from "../lib/methods";
import { Hint } from "./hint";
import { ChevronIcon } from "./icons";
import { useCatalogue } from "./metric-hint";

/** What the catalogue says of the terms of a pair. */
function useTerms(name: keyof Terms) {
  return useCatalogue("pair")
    .get("beta")
    ?.parameters.find((each) => each.name === name);
}

export function useTermRemark(name: keyof Terms): (choice: string) => string {
  const remarks = useTerms(name)?.remarks;
  return (choice) => remarks?.[choice] ?? "";
}

/** How the hedge is fitted, to what, and, in sight, what speaks against it. */
export function MethodButton({ terms, window, onPick }: { terms: Terms; window: number; onPick: () => void }) {
  const of = {
    method: useTermRemark("method"),
    prices: useTermRemark("prices"),
    intercept: useTermRemark("intercept"),
  };
  const doubt = methodDoubt(terms.method, window, useTerms("method")?.wants);
  const remark = [
    of.method(terms.method),
    terms.prices === USUAL_TERMS.prices ? "" : of.prices(terms.prices),
    terms.intercept ? "" : of.intercept("false"),
  ]
    .filter(Boolean)
    .join("; ");
  return (
    <div className="flex min-w-0 items-center gap-1.5">
      <span className="caption max-wide:hidden">hedge</span>
      <Hint content={remark && <p>{remark}</p>}>
        <button
          type="button"
          onClick={onPick}
          aria-label={`Hedge method: ${termsText(terms)}`}
          className="flex h-6 items-center gap-2 whitespace-nowrap rounded border border-line bg-raised px-2 hover:border-edge"
        >
          {termsText(terms)}
          <ChevronIcon />
        </button>
      </Hint>
      {doubt ? (
        <Hint content={remark && <p>{remark}</p>}>
          <button
            type="button"
            onClick={onPick}
            data-doubt
            className="h-5 truncate whitespace-nowrap rounded border border-short px-1.5 text-[11px] text-short"
          >
            {doubt}
          </button>
        </Hint>
      ) : null}
    </div>
  );
}
