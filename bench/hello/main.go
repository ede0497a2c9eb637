// Command hello prints one line: the least that starting a Go program costs.
package main

import "fmt"

func main() { fmt.Println("hello, world") }
