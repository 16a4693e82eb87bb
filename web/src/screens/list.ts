// Every screen, in the order of the rail. Rail, keys, addresses, search and help are made from this list.

import type { Screen } from "../ui/screen";
import { correlation } from "./correlation";
import { pair } from "./pair";
import { symbol } from "./symbol";
import { system } from "./system";
import { tape } from "./tape";

export const SCREENS: readonly Screen[] = [pair, symbol, correlation, tape, system];
