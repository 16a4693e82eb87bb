import type { ReactNode } from "react";

function Icon({ children, size = 18 }: { children: ReactNode; size?: number }) {
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

export const PairIcon = () => (
  <Icon>
    <path d="M2 13l4-5 3 3 7-7" />
    <path d="M2 9l4-4 4 8 6-2" opacity=".55" />
  </Icon>
);

export const SymbolIcon = () => (
  <Icon>
    <path d="M5 2v3m0 7v4M13 3v2m0 6v3" />
    <rect x="3.2" y="5" width="3.6" height="7" rx=".6" />
    <rect x="11.2" y="5" width="3.6" height="6" rx=".6" />
  </Icon>
);

export const CorrelationIcon = () => (
  <Icon>
    <path d="M2.5 2.5h13v13h-13zM2.5 6.8h13M2.5 11.2h13M6.8 2.5v13M11.2 2.5v13" />
    <path d="M3 3h3.4v3.4H3zM7.2 7.2h3.6v3.6H7.2zM11.6 11.6H15V15h-3.4z" fill="currentColor" stroke="none" />
  </Icon>
);

export const TapeIcon = () => (
  <Icon>
    <circle cx="5.5" cy="8" r="3.5" />
    <circle cx="12.5" cy="8" r="3.5" />
    <path d="M2 14.5h5m2.2 0h1.6m2.2 0h3" />
  </Icon>
);

export const SystemIcon = () => (
  <Icon>
    <path d="M1.5 9.5h3l2-5.5 4 10.5 2.3-6 1 1h2.7" />
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
