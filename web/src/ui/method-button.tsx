import { METHOD_NAMES, type Method, methodDoubt } from "../lib/methods";
import { Hint } from "./hint";
import { ChevronIcon } from "./icons";
import { useCatalogue } from "./metric-hint";

/** What the catalogue says of the methods. */
function useMethods() {
  return useCatalogue("pair")
    .get("beta")
    ?.parameters.find(({ name }) => name === "method");
}

export function useMethodRemark(): (method: Method) => string {
  const remarks = useMethods()?.remarks;
  return (method) => remarks?.[method] ?? "";
}

/** How the hedge is fitted and, in sight, what speaks against it. */
export function MethodButton({ method, window, onPick }: { method: Method; window: number; onPick: () => void }) {
  const remark = useMethodRemark()(method);
  const doubt = methodDoubt(method, window, useMethods()?.wants);
  return (
    <div className="flex min-w-0 items-center gap-1.5">
      <span className="caption max-wide:hidden">hedge</span>
      <Hint content={remark && <p>{remark}</p>}>
        <button
          type="button"
          onClick={onPick}
          aria-label={`Hedge method: ${METHOD_NAMES[method]}`}
          className="flex h-6 items-center gap-2 whitespace-nowrap rounded border border-line bg-raised px-2 hover:border-edge"
        >
          {METHOD_NAMES[method]}
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
