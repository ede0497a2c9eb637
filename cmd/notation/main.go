// Command notation signs artifacts and verifies who signed them.
package main

import (
	"os"

	"github.com/notaryv2/notation/internal/cli"
)

func main() { os.Exit(cli.Main()) }
