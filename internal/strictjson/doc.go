// Package strictjson reads JSON that decides about trust: envelopes, payloads,
// policies, manifests and configuration.
//
// RFC 8259 leaves several things to the reader: which of two members of one
// name counts, what an invalid UTF-8 sequence means, whether null is the same
// as nothing. Two readers that choose differently see two documents in the
// same bytes, and whoever wrote them chooses which reader sees which. So this
// package refuses every text that has more than one reading:
//
//   - members given twice, at every level, also inside values kept raw
//   - member names in another case than the one that the Go type names
//   - members that the Go type does not name ([Unmarshal] only)
//   - null in place of a string, number, boolean, object or array
//   - invalid UTF-8, lone surrogates and a byte order mark
//   - numbers that the Go type cannot hold exactly
//   - more nesting than [MaxDepth] and anything after the value
//
// What it accepts follows I-JSON (RFC 7493), and encoding/json reads the same
// value from it.
//
// Errors are of type [*Error] and say line, column and member, so that the
// author of a policy file finds the place. Their text is safe to print.
//
// The grammar is the work of the encoding/json/v2 implementation; this is the
// only package that imports it. See docs/decisions/strict-json.md.
package strictjson
