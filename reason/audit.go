package reason

// Codes of the package audit: verifying many artifacts, and keeping what was
// found out.
const (
	AuditNothing      Code = "audit.nothing"
	AuditNotPassed    Code = "audit.not-passed"
	AuditRegistryDown Code = "audit.registry-down"
	AuditInterrupted  Code = "audit.interrupted"
	AuditIncomplete   Code = "audit.incomplete"
	AuditTooMany      Code = "audit.too-many"

	// Files.

	AuditState  Code = "audit.state"
	AuditInUse  Code = "audit.in-use"
	AuditRecord Code = "audit.record"
	AuditWrite  Code = "audit.write"
	AuditFormat Code = "audit.format"
)

func auditEntries() []Entry {
	return []Entry{
		{AuditNothing, "There was nothing to look at, so that nothing can be said about it.", "Check the registry, the prefix and the pattern for tags; a login may be needed to see what is there."},
		{AuditNotPassed, "Not all artifacts passed, and each has its own reason.", "See the reasons; a report in JSON lines lists all artifacts."},
		{AuditRegistryDown, "The registry has given no answer of use for a while, and was not asked about the rest.", "Run it again when the registry works; with a state file, what is done is not done again."},
		{AuditInterrupted, "The audit was stopped before everything was looked at.", "Run it again; with a state file, what is done is not done again."},
		{AuditIncomplete, "Files of records say that shards are missing, or that a run ended before everything was looked at.", "Name the files of all shards, or run again what is missing."},
		{AuditTooMany, "There are more artifacts than one run can hold.", "Split the work into shards."},
		{AuditState, "The state file cannot be used: it is no state file, or damaged.", "Name another file, or remove it to start over."},
		{AuditInUse, "Another run uses the state file.", "Wait until that run has ended, or give each its own file."},
		{AuditRecord, "A file of records has a line that is no record.", "Get the file again from the run that has written it."},
		{AuditWrite, "What was found out could not be written.", "Check permissions and free space."},
		{AuditFormat, "There is no form of report of that name.", "Use one of table, jsonl, junit, sarif and html."},
	}
}
