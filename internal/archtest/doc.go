// Package archtest holds tests of the repository as a whole: which package may
// import which, which library stays in which room, what must not stand in a
// file, and that every attack in docs/security/attacks.md is tried by a test.
// It exports nothing and nothing imports it.
package archtest
