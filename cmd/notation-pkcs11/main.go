// Command notation-pkcs11 signs with keys in HSMs, smart cards and other tokens
// that have a PKCS #11 module. It is a plugin of notation, and a command of its
// own that lists the keys.
//
// The id of a key is a PKCS #11 URI (RFC 7512), such as
// "pkcs11:token=release;id=%01". The module, which is a library of the token's
// maker, is named by --plugin-config module=/path or $NOTATION_PKCS11_MODULE. A
// URI may name it too, with module-path=, but only where --plugin-config
// module-path=allow says so: to load a library is to run it, and key ids are
// passed around more freely than that. docs/pkcs11.md is the manual.
//
// The program has two faces. With a command of the plugin protocol it speaks
// that, on streams that no module can write to; with "list" or "login" it talks
// to a person. Both use package token, which talks to the module, and package
// pin, which gets the PIN.
//
// This is the only program of the project that uses cgo, and a module of its
// own, so that notation itself stays pure Go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/token"
)

// Variables of the environment beside [pin.Variable].
const (
	moduleVariable = "NOTATION_PKCS11_MODULE" // the default for module=
	debugVariable  = "NOTATION_PKCS11_DEBUG"  // leaves what a module prints on standard error
)

// version is set with -ldflags '-X main.version=...' for a release.
var version = ""

// Exit codes of list and login, as those of notation: the command line or the
// configuration is wrong, or the token could not be asked.
const (
	exitUsage  = 2
	exitFailed = 3
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	getenv := takePIN()
	if len(args) == 1 && isProtocol(args[0]) {
		stdout, stderr := protocolStreams(getenv(debugVariable) != "")
		return program(getenv).Run(context.Background(), args, os.Stdin, stdout, stderr)
	}
	// While a PIN is entered, package pin sees to the signals.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := command{stdout: os.Stdout, stderr: os.Stderr, getenv: getenv, now: time.Now(), load: token.Load}
	return c.run(ctx, args)
}

// takePIN takes the PIN out of the environment, where the module and the programs
// that it may run would find it, and returns what reads the environment as it was.
func takePIN() func(string) string {
	value := os.Getenv(pin.Variable)
	_ = os.Unsetenv(pin.Variable)
	return func(name string) string {
		if name == pin.Variable {
			return value
		}
		return os.Getenv(name)
	}
}

// isProtocol reports whether an argument is a command of the plugin protocol, or
// may be one of a later version.
func isProtocol(arg string) bool {
	switch plugin.Command(arg) {
	case plugin.CommandMetadata, plugin.CommandDescribeKey, plugin.CommandGenerateSignature,
		plugin.CommandGenerateEnvelope, plugin.CommandVerifySignature:
		return true
	}
	return false
}

// loader is token.Load.
type loader func(ctx context.Context, path, lockDir string) (*token.Module, error)

// command is the face for people.
type command struct {
	stdout, stderr io.Writer
	getenv         func(string) string
	now            time.Time
	load           loader
}

const usage = `Sign with keys in HSMs, smart cards and other PKCS #11 tokens.

Usage:
  notation-pkcs11 list [--module FILE] [--login] [-o json]
      Show the tokens, and on each the keys with their URIs and certificates.
      --login also shows what only a login makes visible. It asks for each PIN.
  notation-pkcs11 login [--module FILE] URI
      Log in to the token once with a PIN from the terminal. The right PIN sets
      the token's count of wrong ones back.
  notation-pkcs11 version
      Show the version.

The module is the library of the token's maker: --module, or else
$NOTATION_PKCS11_MODULE.

To sign:
  notation plugin install --file notation-pkcs11
  notation key add NAME --plugin pkcs11 --id 'pkcs11:token=...;id=...' --plugin-config module=FILE
  notation sign --key NAME REFERENCE

Settings for --plugin-config:
  module=FILE        the module
  certs=FILE         certificates in PEM, in place of those on the token
  module-path=allow  lets the URI name the module

PIN: pin-source=file:/path in the URI, $NOTATION_PKCS11_PIN, or the terminal.
`

func (c command) run(ctx context.Context, args []string) int {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	var err error
	switch name {
	case "list":
		err = c.list(ctx, args[1:])
	case "login":
		err = c.login(ctx, args[1:])
	case "version":
		_, err = fmt.Fprintln(c.stdout, programVersion())
	case "help", "-h", "--help":
		_, err = io.WriteString(c.stdout, usage)
	default:
		err = reason.Errorf(reason.TokenConfig, "%q is no command", name).WithHint("See notation-pkcs11 --help.")
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(c.stderr, "Error: %v\n", err)
	if hint := reason.Hint(err); hint != "" {
		fmt.Fprintf(c.stderr, "Hint: %s\n", hint)
	}
	switch reason.Of(err) {
	case reason.TokenConfig, reason.TokenURI, reason.TokenModule, reason.TokenModulePath:
		return exitUsage
	}
	return exitFailed
}

// programVersion is what a release was built with, or what the Go command knows.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "0.0.0-devel"
}

// lockDir is where the locks of package pin are, beside notation's caches.
func lockDir(getenv func(string) string) string {
	dirs, err := config.Locate(goos, getenv)
	if err != nil || dirs.Cache == "" {
		return ""
	}
	return filepath.Join(dirs.Cache, "pkcs11")
}

// pins says where the PIN comes from. warn takes warnings about the file.
func pins(getenv func(string) string, file string, warn func(string)) pin.Source {
	return pin.Source{File: file, Env: getenv(pin.Variable), Ask: pin.Terminal(lockDir(getenv)), Warn: warn}
}
