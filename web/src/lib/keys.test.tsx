// @vitest-environment happy-dom

import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { keyName, useKeys } from "./keys";

const press = (key: string, modifiers: Partial<KeyboardEvent> = {}) =>
  keyName({ key, ctrlKey: false, metaKey: false, altKey: false, ...modifiers });

describe("keyName", () => {
  it("is the key itself, whatever its case", () => {
    expect(press("Z")).toBe("z");
    expect(press("[")).toBe("[");
    expect(press("ArrowLeft")).toBe("ArrowLeft");
  });

  it("tells a shortcut of the browser from a plain key", () => {
    expect(press("r", { ctrlKey: true })).toBe("mod+r");
    expect(press("k", { metaKey: true })).toBe("mod+k");
    expect(press("1", { altKey: true })).toBe("alt+1");
  });
});

describe("useKeys", () => {
  let heard: string[] = [];
  let leave = () => {};

  function Screen() {
    useKeys({ "2": () => heard.push("2") });
    return null;
  }

  beforeAll(() => {
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  });

  beforeEach(() => {
    heard = [];
    const root = createRoot(document.createElement("div"));
    act(() => root.render(<Screen />));
    leave = () => act(() => root.unmount());
  });

  afterEach(() => {
    leave();
    document.body.replaceChildren();
  });

  const pressIn = (target: EventTarget) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key: "2", bubbles: true, cancelable: true }));

  const put = (markup: string) => {
    document.body.innerHTML = markup;
    return document.body.firstElementChild as Element;
  };

  it("hears a key anywhere, and nothing any more once the screen is left", () => {
    pressIn(document.body);
    leave();
    pressIn(document.body);
    expect(heard).toEqual(["2"]);
  });

  it("leaves alone what is typed into a field", () => {
    pressIn(put("<input>"));
    expect(heard).toEqual([]);
  });

  it("is off while a dialog is open, and on again while a closed one still fades out", () => {
    const dialog = put('<div role="dialog" data-open></div>');
    pressIn(document.body);
    expect(heard).toEqual([]);
    dialog.removeAttribute("data-open");
    dialog.setAttribute("data-closed", "");
    pressIn(document.body);
    expect(heard).toEqual(["2"]);
  });
});
