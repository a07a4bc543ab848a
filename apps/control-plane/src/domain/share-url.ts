export const shareUrl = (publicUrl: string, slug: string): string => `${publicUrl}/r/${slug}`;
