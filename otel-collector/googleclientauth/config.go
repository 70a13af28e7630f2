// Package googleclientauth lets HTTP exporters of the OpenTelemetry Collector sign in at Google with the credentials
// of their environment (Application Default Credentials). It has the name and the one setting of contrib's
// googleclientauthextension that gke.yaml needs, so that both run the same configuration.
package googleclientauth

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// Config is what the configuration says under google_client_auth.
type Config struct {
	// Project takes the spans that carry no gcp.project_id. Empty: the project of the credentials.
	Project string `mapstructure:"project"`
}

// NewFactory makes the extension google_client_auth.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("google_client_auth"),
		func() component.Config { return &Config{} },
		func(_ context.Context, _ extension.Settings, config component.Config) (extension.Extension, error) {
			return &authenticator{config: config.(*Config)}, nil
		},
		component.StabilityLevelDevelopment,
	)
}
