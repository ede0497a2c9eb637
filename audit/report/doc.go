// Package report tells what an audit has found out, for people and for the
// programs that people already use.
//
// A [Renderer] is fed the records of package audit one by one and writes one
// form of them:
//
//   - [JSONLines]: the records themselves, which [audit.OpenMerged] reads again
//   - [JUnit]: a test report, as every CI system shows one
//   - [SARIF]: what did not pass, as code scanning services show it
//   - [Table]: plain text, for a terminal
//   - [HTML]: one page that asks nobody for anything, for everybody else
//
// The first three write as they go. The last two add up first, and write when
// they are closed; what they keep is bounded, however many records there are. So
// a report of a million artifacts needs no more memory than one of a thousand.
//
// Whatever is in a record may have been chosen by somebody hostile: a tag, the
// subject of a certificate, the message of a registry. Renderers treat all of it
// as text. Control characters, and those that change the direction of writing,
// are shown escaped; what is long is cut short, in all forms but JSON lines,
// which are read by programs.
//
// Records are best fed in the order of [audit.Archive.Records], which is that of
// [audit.Merged.Records], too. The bytes of a report then depend on nothing but
// the records and the [Options]: shards of an audit, merged in whatever order of
// files, give the report that one run would have given. specs/audit-reports.md
// specifies the forms.
package report
