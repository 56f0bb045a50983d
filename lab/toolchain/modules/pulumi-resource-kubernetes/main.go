// Command pulumi-resource-kubernetes is Pulumi's Kubernetes provider, built from its module.
package main

import "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"

// The engine learns the version from here. It must equal the pulumi-kubernetes Python package's.
const version = "4.25.0"

func main() {
	// The full schema only answers GetSchema, which code generators call and the engine does not.
	schema := []byte(`{"name":"kubernetes","version":"` + version + `"}`)
	provider.Serve("kubernetes", version, schema, []byte(`{}`))
}
