package main

// The document of PROTOCOL.md, version 1; adapter-answer.ts has its schema.
type answer struct {
	Protocol int       `json:"protocol"`
	Loader   loader    `json:"loader"`
	Opened   bool      `json:"opened"`
	Loaded   bool      `json:"loaded"`
	Failure  *failure  `json:"failure"`
	Programs []program `json:"programs"`
	Runs     []run     `json:"runs"`
	Messages []string  `json:"messages"`
}

type loader struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type failure struct {
	Phase   string  `json:"phase"`
	Errno   *string `json:"errno"`
	Message string  `json:"message"`
}

type program struct {
	Name        string  `json:"name"`
	Loaded      bool    `json:"loaded"`
	Errno       *string `json:"errno"`
	Message     *string `json:"message"`
	VerifierLog *string `json:"verifierLog"`
}

type run struct {
	Program  string            `json:"program"`
	CPU      int               `json:"cpu"`
	Returned *uint32           `json:"returned"`
	Errno    *string           `json:"errno"`
	Data     map[string]string `json:"data"`
}

func newAnswer() *answer {
	return &answer{
		Protocol: 1,
		Loader:   loader{"cilium/ebpf", version},
		Programs: []program{},
		Runs:     []run{},
		Messages: []string{},
	}
}
