package cli

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testterminal"
)

// TestPromptInterrupted presses Ctrl-C and Ctrl-\\ at a prompt: nothing is made,
// the program says so and leaves the terminal with its echo.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	const role = "NOTATION_TEST_PROMPT"
	if os.Getenv(role) != "" {
		os.Args = []string{"notation", "key", "generate", "x", "--algorithm", "ec-256", "--encrypt"}
		os.Exit(Main())
	}
	for name, tt := range map[string]struct{ key, says string }{
		"interrupt": {"\x03", "Interrupted"},
		"quit":      {"\x1c", "could not be read: interrupted."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			home := t.TempDir()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPromptInterrupted$")
			cmd.Env = append(os.Environ(), role+"=1", "HOME="+home, "XDG_CONFIG_HOME="+home, "GORACE=atexit_sleep_ms=0")
			x := testterminal.New(t)
			x.Start(t, cmd)
			x.Wait(t, "Pass phrase of the new key")
			x.EchoOff(t)
			if _, err := x.WriteString(tt.key); err != nil {
				t.Fatal(err)
			}
			x.Wait(t, tt.says)
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() < 0 {
				t.Errorf("%v", err)
			}
			if !x.Echo(t) {
				t.Error("the terminal shows no input any more")
			}
			if made, err := os.ReadDir(home); err != nil || len(made) != 0 {
				t.Errorf("%v, %v", made, err)
			}
		})
	}
}
