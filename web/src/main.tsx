import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./index.css";
import type { Config } from "./api.gen";
import { useSettled } from "./lib/hooks";
import { Notice } from "./ui/notice";
import { request } from "./wire/client";
import { WireProvider } from "./wire/context";
import { Hub } from "./wire/hub";

const SNAPSHOT_BARS = 3_000;

/** Nothing can be drawn before the server has said what it watches. */
function Start() {
  const { data: config, failureReason } = useQuery({
    queryKey: ["config"],
    queryFn: ({ signal }) => request("GET /config", {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
    retry: true,
    retryDelay: 1_500,
  });
  const isSlow = useSettled(!config, 1_000);
  if (config) return <Connected config={config} />;
  if (!isSlow) return null;
  return (
    <Notice title="pairscope does not answer">
      <p>Waiting for it at {location.host}. Start it with: pairscope run</p>
      {failureReason ? <p className="mt-1">{failureReason.message}</p> : null}
    </Notice>
  );
}

function Connected({ config }: { config: Config }) {
  const [hub] = useState(() => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return new Hub(`${scheme}://${location.host}/ws`, Math.min(SNAPSHOT_BARS, config.max_bars));
  });
  useEffect(() => {
    hub.start();
    return () => hub.stop();
  }, [hub]);
  return (
    <WireProvider hub={hub} config={config}>
      <App />
    </WireProvider>
  );
}

// The server is this machine or one nearby: that the browser thinks itself offline is no reason not to ask.
const queries = new QueryClient({
  defaultOptions: { queries: { refetchOnWindowFocus: false, refetchOnReconnect: false, networkMode: "always" } },
});

const root = document.getElementById("root");
if (!root) throw new Error("the page has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Start />
    </QueryClientProvider>
  </StrictMode>,
);
