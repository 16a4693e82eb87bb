import { describe, expect, it } from "vitest";
import { keyName } from "./keys";

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
