// Package shim makes HashiCorp's random provider importable.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"
	random "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// NewProvider returns HashiCorp's random provider.
func NewProvider() provider.Provider {
	return random.New()
}
