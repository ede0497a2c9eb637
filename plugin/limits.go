package plugin

import "time"

// Bounds on names and on what is exchanged with a plugin, in bytes unless said
// otherwise.
const (
	maxName       = 128      // of a plugin; signatures can name no longer one
	maxPlugins    = 256      // entries of the directory that List looks at
	maxStdout     = 2 << 20  // an envelope of 1 MiB in base64, and room around it
	maxStderr     = 64 << 10 // that are kept of standard error
	maxStderrRead = 16 << 20 // of standard error, most of it thrown away, until the plugin is ended
	maxRequest    = 4 << 20  // that Serve reads from standard input
	maxText       = 4096     // of a single text in an answer
	maxShown      = 1024     // of a plugin's text in a message
	maxKeyID      = 4096     // a URL or an ARN is shorter
	maxSignature  = 1024     // RSA 4096 has 512
	maxPayload    = 1 << 20  // to be signed
	maxItems      = 64       // versions, capabilities, attributes, annotations
	listAtOnce    = 4        // plugins that List asks at the same time
	maxBusyTries  = 10       // starts of a file that is "busy"
	busyWait      = time.Millisecond
)

// Time that a plugin has for each command, within what the caller's context
// leaves. Signing may wait for a person who touches a token.
const (
	metadataTimeout = 15 * time.Second
	describeTimeout = time.Minute
	signTimeout     = 5 * time.Minute
	verifyTimeout   = 2 * time.Minute

	// graceTime is how long a plugin that was told to end may take.
	graceTime = 2 * time.Second

	// expirySlack is how far the expiry of an envelope that a plugin made may
	// lie from the one asked for: the plugin counts from its own clock, and
	// from the time at which it has the key.
	expirySlack = signTimeout
)

// Bounds on what is installed.
const (
	maxDownload     = 128 << 20 // bytes of the file or archive
	maxUnpacked     = 256 << 20 // bytes of an archive's content
	maxEntries      = 64        // of an archive
	maxDirectory    = 1 << 20   // bytes read to find the entries of a zip archive
	maxRedirects    = 5
	downloadTimeout = 10 * time.Minute
	lockWait        = 30 * time.Second
	lockRetry       = 20 * time.Millisecond
)
