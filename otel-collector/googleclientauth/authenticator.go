package googleclientauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/component"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// The one scope that covers writing telemetry.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// authenticator holds a source of access tokens, which renews them before they expire.
type authenticator struct {
	config *Config
	tokens oauth2.TokenSource
}

// Start finds the credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's, or the metadata server's.
func (a *authenticator) Start(_ context.Context, _ component.Host) error {
	// The credentials keep the context, and fetch tokens with it long after Start's own is over.
	credentials, err := google.FindDefaultCredentials(context.Background(), scope)
	if err != nil {
		return fmt.Errorf("google_client_auth: no Google credentials; on GKE bind a service account with "+
			"roles/telemetry.tracesWriter, elsewhere set GOOGLE_APPLICATION_CREDENTIALS: %w", err)
	}
	if a.config.Project == "" {
		a.config.Project = credentials.ProjectID
	}
	a.tokens = credentials.TokenSource
	return nil
}

// Shutdown has nothing to stop.
func (a *authenticator) Shutdown(context.Context) error { return nil }

// RoundTripper puts a token and the project on every request.
func (a *authenticator) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	if a.tokens == nil {
		return nil, errors.New("google_client_auth: asked before it was started")
	}
	return &oauth2.Transport{Source: a.tokens, Base: &inProject{project: a.config.Project, base: base}}, nil
}

// inProject names the project, as contrib's extension does.
type inProject struct {
	project string
	base    http.RoundTripper
}

// RoundTrip may write to the request: oauth2.Transport has already cloned it.
func (p *inProject) RoundTrip(request *http.Request) (*http.Response, error) {
	if p.project != "" {
		request.Header.Set("X-Goog-Project-ID", p.project)
	}
	return p.base.RoundTrip(request)
}
