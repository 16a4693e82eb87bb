import type { ReactNode } from "react";

export function Icon({ children, size = 18 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 18 18"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const Logo = () => (
  <Icon size={22}>
    <path className="text-long" stroke="currentColor" d="M2 12.5c3 0 4-7 7-7s4 5 7 5" />
    <path className="text-short" stroke="currentColor" d="M2 7.5c3 0 4 5 7 5s4-7 7-7" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon size={14}>
    <circle cx="7.5" cy="7.5" r="5" />
    <path d="m11.5 11.5 4 4" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon size={12}>
    <path d="m4 7 5 5 5-5" />
  </Icon>
);

export const WarnIcon = () => (
  <span className="shrink-0">
    <Icon size={14}>
      <path d="M9 2.5 16.5 15.5h-15zM9 7.5v3.5M9 13.3v.1" />
    </Icon>
  </span>
);
