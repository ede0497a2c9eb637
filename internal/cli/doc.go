// Package cli is the command line of notation: arguments, streams and
// environment go in, an exit code comes out. [Run] does that once and keeps
// nothing, so that tests run it in parallel and only main exits.
//
// A command is a function from its arguments to a [document], the value that
// it has to say, and an error. It prints nothing itself. When it has returned,
// the document is rendered in one place, as text for people or as one JSON
// document for programs, and the error is turned into the sentences "Error:"
// and "Hint:" and into the exit code. So --output works for every command and
// no command can succeed in one format and fail in the other.
//
// Standard output holds the document and nothing else. Warnings, errors,
// hints and prompts go to standard error.
//
// The commands decide nothing about trust: they read options and files, call
// package notation and show its verdict. Options that several commands share
// are groups with a method that registers their flags and one that gives what
// they mean: see [registryOptions], [targetOptions] and [trustOptions].
//
// Exit codes are in exit.go, the JSON documents in specs/cli-json.md.
package cli
