"""A book of subscriptions whose cards misbehave, charged by the real parts before your eyes, and then audited."""
