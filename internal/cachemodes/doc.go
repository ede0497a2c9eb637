// Package cachemodes has the tests of attacks run with every state of the caches:
// none, empty ones, and full ones. What is kept between verifications must change
// no verdict, and an attack is where a difference would hurt.
//
// There are three ways to it, for three kinds of tests:
//
//   - [RunAttacks] runs the tests of a package that carry a comment
//     "attack: ID" once more in processes of their own, one for each [Mode] that
//     they have not run in. The tests ask [Current] how the caches are to be.
//   - The package everymode is for a test that verifies something that does not
//     change by that: it verifies in each mode and compares the verdicts.
//   - [Again] is for whole commands. What may be run again is, with the caches as
//     they are, with empty ones and without any, and has to say the same.
//
// A test of this package fails if an attack test verifies in none of these ways.
package cachemodes
