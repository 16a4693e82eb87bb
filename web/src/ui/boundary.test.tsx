// @vitest-environment happy-dom

import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Boundary } from "./boundary";

beforeAll(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});

const Broken = ({ rows }: { rows?: string[] }) => <p>{(rows as string[])[0]}</p>;

describe("a screen that cannot be drawn", () => {
  it("says so in its own place, leaves the rest, and is left with the screen", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const place = document.createElement("div");
    const root = createRoot(place);
    const show = (screen: string) =>
      act(() =>
        root.render(
          <>
            <nav>all screens</nav>
            <Boundary key={screen}>{screen === "broken" ? <Broken /> : <p>fine</p>}</Boundary>
          </>,
        ),
      );
    show("broken");
    expect(place.textContent).toContain("all screens");
    expect(place.textContent).toContain("This screen cannot be drawn");
    expect(place.querySelector("button")?.textContent).toBe("Reload");
    show("other");
    expect(place.textContent).toBe("all screensfine");
    vi.restoreAllMocks();
  });
});
