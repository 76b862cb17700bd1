// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace patchcore::cli {

/// How a report looks on a screen and on paper. Blue and orange are told apart by all eyes.
inline constexpr const char* kReportStyle = R"css(
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 24px 28px 48px; background: #fff; color: #1a202c;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 28px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 20px; border-bottom: 1px solid #cbd5e0; padding-bottom: 4px; }
p { margin: 6px 0 12px; max-width: 80ch; }
.quiet { color: #4a5568; }
.notes { margin: 16px 0; padding: 8px 16px 8px 32px; background: #fffaf0;
  border-left: 4px solid #c05621; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 20px 0 0; }
.figures div { border: 1px solid #cbd5e0; border-radius: 8px; padding: 10px 14px; }
.figures dt { font-size: 13px; color: #4a5568; }
.figures dd { margin: 0; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures small { font-size: 13px; font-weight: 400; color: #4a5568; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 8px; text-align: right; vertical-align: top;
  border-bottom: 1px solid #e2e8f0; }
thead th { font-weight: 600; color: #4a5568; vertical-align: bottom; border-bottom-color: #718096; }
th:first-child { text-align: left; overflow-wrap: anywhere; min-width: 80px; }
tbody tr:last-child > * { font-weight: 600; border-top: 1px solid #718096; }
td small { display: block; font-size: 11px; font-weight: 400; color: #4a5568; white-space: nowrap; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 20px; }
figure { margin: 0; }
figcaption { font-size: 13px; color: #4a5568; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 11px; fill: #4a5568; }
svg .axis { fill: none; stroke: #718096; }
svg .grid { fill: none; stroke: #edf2f7; }
svg .good { fill: #2b6cb0; fill-opacity: .65; }
svg .defective { fill: #dd6b20; fill-opacity: .65; }
svg path.threshold { stroke: #1a202c; stroke-width: 1.5; stroke-dasharray: 5 4; }
svg circle.threshold { fill: #fff; stroke: #1a202c; stroke-width: 2; }
svg .curve { fill: none; stroke: #2b6cb0; stroke-width: 2; }
svg .chance { fill: none; stroke: #a0aec0; stroke-dasharray: 4 4; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 16px; }
.gallery figure { border: 1px solid #cbd5e0; border-radius: 8px; overflow: hidden;
  break-inside: avoid; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; background: #edf2f7; }
.pair img { display: block; width: 100%; height: 200px; object-fit: contain; }
.gallery figcaption { padding: 8px 12px; overflow-wrap: anywhere; color: #1a202c; }
.verdict { float: right; margin-left: 8px; padding: 0 8px; border-radius: 9px; font-size: 12px; }
.wrong { background: #fed7d7; color: #822727; }
.right { background: #e6fffa; color: #234e52; }
.facts { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: 2px 20px;
  margin: 0; font-size: 14px; }
.facts dt { color: #4a5568; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 760px) { .facts { grid-template-columns: max-content 1fr; } }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  h2, h2 + p { break-after: avoid; }
  .figures { grid-template-columns: repeat(6, 1fr); gap: 6px; }
  .figures div { padding: 6px 8px; }
  .figures dt { font-size: 8pt; min-height: 2.6em; }
  .figures dd { font-size: 14pt; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: 3px; }
  td small { font-size: 6pt; }
  svg text { font-size: 13px; }
  .gallery { grid-template-columns: 1fr 1fr; }
  .pair img { height: 140px; }
  .facts { grid-template-columns: max-content 1fr max-content 1fr; font-size: 9pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace patchcore::cli
