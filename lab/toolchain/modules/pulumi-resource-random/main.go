// Command pulumi-resource-random is Pulumi's random provider, built from its modules.
// Only the resource that multi-tier uses is mapped.
package main

import (
	"context"

	pluginframework "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// The engine learns the version from here. It must equal the pulumi-random Python package's.
const version = "4.21.4"

func main() {
	info := tfbridge.ProviderInfo{
		Name:    "random",
		Version: version,
		P:       pluginframework.ShimProvider(shim.NewProvider()),
		Resources: map[string]*tfbridge.ResourceInfo{
			"random_password": {Tok: "random:index/randomPassword:RandomPassword"},
		},
		IgnoreMappings: []string{
			"random_bytes", "random_id", "random_integer", "random_pet",
			"random_shuffle", "random_string", "random_uuid", "random_uuid4", "random_uuid7",
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte(`{}`)),
	}
	schema := []byte(`{"name":"random","version":"` + version + `"}`)
	pluginframework.Main(context.Background(), "random", info,
		pluginframework.ProviderMetadata{PackageSchema: schema})
}
