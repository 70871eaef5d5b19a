"""Other pictures of the same, at random: colours, tones, softness. For the scripts that train here."""
import torch


class Variation:
    """Of n pictures, float RGB [n, 3, H, W] in 0..1, each by numbers of its own."""

    def __init__(self, n, generator):
        self.n, self.generator = n, generator

    def uniform(self, low, high, *shape):
        return torch.rand(*shape, generator=self.generator) * (high - low) + low

    def share(self, probability):
        """1 for about so many of the pictures, 0 for the others."""
        return (torch.rand(self.n, 1, 1, 1, generator=self.generator) < probability).float()

    def colours(self, x, tint):
        """Some gray, some with channels up to `tint` stronger or weaker."""
        gray = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        part = self.share(0.4)
        x = x * (1 - part) + gray * part
        return x * (1 + self.uniform(-tint, tint, self.n, 3, 1, 1) * self.share(0.5))

    def tones(self, x, contrast, brightness):
        """Another gamma, a contrast from `contrast` to 1.4, up to `brightness` lighter or darker."""
        x = x.clamp(1e-3, 1) ** self.uniform(0.6, 1.6, self.n, 1, 1, 1)
        x = (x - 0.5) * self.uniform(contrast, 1.4, self.n, 1, 1, 1) + 0.5
        return x + self.uniform(-brightness, brightness, self.n, 1, 1, 1)

    def soften(self, x, soft):
        """Some as much like `soft` as it comes."""
        part = self.uniform(0, 1, self.n, 1, 1, 1) * self.share(0.4)
        return x * (1 - part) + soft * part
